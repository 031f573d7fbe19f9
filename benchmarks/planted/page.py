def bars(r):
    return "\n".join(
        f"{'met    ' if b['met'] else 'NOT MET'} {b['dataset']:9} {b['bar']}: {b['value']:.3f} {[round(x, 3) for x in b.get('interval', ())]}"
        for b in r["bars"]
    )


def page(r):
    return ""
