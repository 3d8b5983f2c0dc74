"""A workload that knows nothing of Gatehouse: it uses the package spiffe as its documentation says, and prints what it
got, one JSON object a line. Usage: workload.py SOCKET AUDIENCE SERIALS"""

import json
import sys
import threading

from spiffe import JwtSource, WorkloadApiClient, X509Source


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def serial(svid):
    return format(svid.leaf.serial_number, "x")


socket, audience, wanted = f"unix://{sys.argv[1]}", sys.argv[2], int(sys.argv[3])
client = WorkloadApiClient(socket)

svid = client.fetch_x509_svid()
say("x509", id=str(svid.spiffe_id), serial=serial(svid))
for bundle in client.fetch_x509_bundles().bundles:
    say("x509-bundle", domain=bundle.trust_domain.name, roots=len(bundle.x509_authorities))

token = client.fetch_jwt_svid({audience})
say("jwt", id=str(token.spiffe_id), audience=sorted(token.audience), token=token.token)
for bundle in client.fetch_jwt_bundles().bundles:
    say("jwt-bundle", domain=bundle.trust_domain.name, keys=len(bundle.jwt_authorities))
say("validated", remote=str(client.validate_jwt_svid(token.token, audience).spiffe_id))
try:
    client.validate_jwt_svid(token.token, "somebody-else")
except Exception as error:
    say("refused", error=str(error))

with JwtSource(client) as source:
    say("jwt-source", id=str(source.fetch_svid({audience}).spiffe_id))

source = X509Source(WorkloadApiClient(socket))
seen = {serial(source.svid)}
done = threading.Event()


def updated():
    now = serial(source.svid)
    if now not in seen:
        say("x509", id=str(source.svid.spiffe_id), serial=now)
    seen.add(now)
    if len(seen) >= wanted:
        done.set()


source.subscribe_for_updates(updated)
if not done.wait(90):
    sys.exit("no rotation in 90 s")
source.close()
client.close()
say("done", serials=len(seen))
