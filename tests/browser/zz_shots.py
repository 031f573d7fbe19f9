from pathlib import Path
from browser_roots import demo_root
from browser_server import serving
from queue_page import QueuePage
def test_shots(tmp_path, visit):
    with serving(demo_root(tmp_path / "demo", sample=60)) as s:
        p=QueuePage(visit(f"{s.url}/?sample=only")); p.page.wait_for_timeout(1500)
        while not p.reason.startswith("Is this"): p.press("j")
        p.page.wait_for_timeout(1500)
        p.page.screenshot(path="/tmp/rates/only.png")
        for _ in range(70):
            r=p.reason
            p.press("r"); p.page.wait_for_timeout(120)
        p.saved(); p.page.wait_for_timeout(800)
        p.page.screenshot(path="/tmp/rates/done.png")
        q=visit(f"{s.url}/summary"); q.wait_for_timeout(3000); q.screenshot(path="/tmp/rates/summary.png")
        g=QueuePage(visit(f"{s.url}/?view=grid")); g.page.wait_for_timeout(2000); g.page.screenshot(path="/tmp/rates/grid.png")
