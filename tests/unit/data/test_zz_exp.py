import json, random, warnings
import pandas as pd, numpy as np, pytest
from datetime import date
from fake_yahoo import Answer
from eventstudy.data import load_prices, PriceCache
from eventstudy.errors import *
pytestmark = pytest.mark.filterwarnings("ignore:The prices look damaged")

def test_future(yahoo, make_provider, closes, tmp_path):
    yahoo.put("A", closes(10, 11))
    for a in (("2030-01-01","2030-02-01"),("2030-01-01",None)):
        try: print(load_prices("A", *a, source=make_provider(), cache=tmp_path))
        except EventStudyError as e: print(repr(e), yahoo.requests); yahoo.requests.clear()
    print(PriceCache(tmp_path).list().T)

def test_drip(yahoo, make_provider, closes, tmp_path, slept):
    yahoo.put("A", closes(10, 11))
    good = yahoo.answer("A", {"period1":"0","period2":"9999999999"}).body
    yahoo.script["A"]=[Answer(200, good, drip=0.05)]
    import time; t=time.time()
    print(load_prices("A","2025-01-06","2025-01-10",source=make_provider(timeout=0.4), cache=tmp_path), time.time()-t, slept)
    yahoo.always["B"]=Answer(200, good, cut=50)
    try: load_prices("B","2025-01-06","2025-01-10",source=make_provider(timeout=0.4), cache=tmp_path)
    except EventStudyError as e: print(repr(e))

def mutate(rng, node):
    """replace one random node"""
    paths=[]
    def walk(n,p):
        paths.append(p)
        if isinstance(n,dict):
            for k in n: walk(n[k],p+[k])
        elif isinstance(n,list):
            for i in range(len(n)): walk(n[i],p+[i])
    walk(node,[])
    p=rng.choice(paths[1:] or [None])
    if p is None: return None
    par=node
    for k in p[:-1]: par=par[k]
    v=rng.choice([None,"x",-1,1e308,float("nan"),[],{},True,"DEL",0,10**30,[1],{"a":1}])
    if v=="DEL": del par[p[-1]]
    else: par[p[-1]]=v
    return p,v

def test_mutants(yahoo, make_provider, closes, tmp_path, slept):
    yahoo.put("A", closes(10, 11,12,11,dividends=[0,1.,0,0],splits=[0,0,2.,0]))
    good = yahoo.answer("A", {"period1":"0","period2":"9999999999"}).body
    rng=random.Random(1)
    import collections; c=collections.Counter(); seen=set()
    for i in range(600):
        doc=json.loads(good); p=mutate(rng,doc)
        if rng.random()<.3: p=p,mutate(rng,doc)
        yahoo.always["A"]=Answer(200,json.dumps(doc).encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EventStudyWarning)
            try:
                load_prices("A","2025-01-06","2025-01-10",source=make_provider(retries=0),cache=tmp_path/str(i)); c["ok"]+=1
            except EventStudyError as e: c["err"]+=1
            except BaseException as e:
                k=(type(e).__name__,str(e)[:80])
                c["RAW"]+=1
                if k not in seen:
                    seen.add(k); print("RAW",p,k)
    print(c)
