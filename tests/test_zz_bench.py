import time, sqlalchemy as sa
from referral.db import write
from tests.test_databases import add_setting
def test_b(database, app, tx, capsys):
    from demo.loader import load_demo
    out=[]
    for n in range(4):
        for _ in range(5): write(add_setting)
        from tests.applications import let_go
        if database.kind=='sqlite': let_go(app)
        t=time.perf_counter(); database.reset(); out.append(round((time.perf_counter()-t)*1000,1))
    t=time.perf_counter(); database.reset(); out.append(('clean',round((time.perf_counter()-t)*1000,1)))
    if database.kind=='sqlite':
        tx.execute(sa.text('select 1')); t=time.perf_counter(); tx.rollback(); let_go(app); tx.execute(sa.text('select 1')); out.append(('reconnect',round((time.perf_counter()-t)*1000,1)))
        t=time.perf_counter(); write(add_setting); out.append(('write',round((time.perf_counter()-t)*1000,1)))
        t=time.perf_counter(); write(add_setting); out.append(('write',round((time.perf_counter()-t)*1000,1)))
    with capsys.disabled(): print(database.kind,out)
