"""A gRPC client in Python. It does the steps of its arguments in turn on one channel, and prints what came of each, one JSON
object a line; what the steps are, client-process.ts says. Usage: client.py CONFIG_JSON STEP..."""

import json
import queue
import sys
import threading

import grpc

CREATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
STREAM = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

config = json.loads(sys.argv[1])


def varint(number):
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def request(csr):
    """IstioCertificateRequest: csr is field 1, validity_duration field 3."""
    text = csr.encode()
    return b"\x0a" + varint(len(text)) + text + b"\x18" + varint(3600)


def chain_of(response):
    """IstioCertificateResponse: cert_chain is field 1, repeated."""
    found, at = [], 0
    while at < len(response):
        assert response[at] == 0x0A
        length, shift, at = 0, 0, at + 1
        while True:
            byte, at = response[at], at + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        found.append(response[at : at + length].decode())
        at += length
    return found


def open_channel():
    pem = [config["roots"].encode()]
    if "cert" in config:
        pem += [config["key"].encode(), config["cert"].encode()]
    options = [("grpc.ssl_target_name_override", config["serverName"]), ("grpc.enable_http_proxy", 0)]
    if not config["retries"]:
        options.append(("grpc.enable_retries", 0))
    if "keepaliveMs" in config:
        options += [
            ("grpc.keepalive_time_ms", config["keepaliveMs"]),
            ("grpc.keepalive_timeout_ms", 5000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ]
    return grpc.secure_channel(config["address"], grpc.ssl_channel_credentials(*pem), options)


channel = open_channel()
create = channel.unary_unary(CREATE)


def call(csr=config["csr"], token=config.get("token"), timeout=20, **options):
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    try:
        return "OK", "", chain_of(create(request(csr), timeout=timeout, metadata=metadata, **options))
    except grpc.RpcError as error:
        return error.code().name, error.details(), []


def say(step, codes=None, details="", chain=()):
    said = {"step": step, "codes": codes, "details": details, "chain": list(chain)}
    print(json.dumps({name: value for name, value in said.items() if value}), flush=True)


def one(step, answer):
    code, details, chain = answer
    say(step, {code: 1}, details, chain)


def calls(step, enough, at_once):
    """Callers at once, each until there are enough or, where that is 0, until its first error."""
    found, lock = {}, threading.Lock()

    def caller(first):
        done = first
        while enough == 0 or done < enough:
            code, _, _ = call()
            with lock:
                found[code] = found.get(code, 0) + 1
            if enough == 0 and code != "OK":
                return
            done += at_once

    threads = [threading.Thread(target=caller, args=(first,)) for first in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(step, found)


class Stream:
    """A discovery stream: what is put into its queue is sent, None ends it."""

    def __init__(self):
        self.requests = queue.Queue()
        self.responses = channel.stream_stream(STREAM)(iter(self.requests.get, None))

    def next(self, message):
        self.requests.put(message)
        try:
            next(self.responses)
            return "OK"
        except StopIteration:
            return "OK" if message is None else "ENDED"
        except grpc.RpcError as error:
            return error.code().name


def cancelled():
    waiting = create.future(request(config["csr"]), metadata=[("authorization", "Bearer hold")])
    sys.stdin.readline()
    waiting.cancel()
    return waiting.code().name, "", []


def connect():
    grpc.channel_ready_future(channel).result(timeout=20)


opened = []


def do(step):
    word, *rest = step.split(":")
    if word == "connect":
        connect()
        say(step)
    elif word == "wait":
        say(step)
        sys.stdin.readline()
    elif word == "call":
        one(step, call())
    elif word == "token":
        one(step, call(token=rest[0]))
    elif word == "gzip":
        one(step, call(compression=grpc.Compression.Gzip))
    elif word == "large":
        one(step, call(csr="x" * int(rest[0])))
    elif word == "deadline":
        one(step, call(token="hold", timeout=int(rest[0]) / 1000))
    elif word == "cancel":
        one(step, cancelled())
    elif word == "calls":
        calls(step, int(rest[0]), int(rest[1]))
    elif word == "until-error":
        calls(step, 0, int(rest[0]))
    elif word == "open":
        opened.append(Stream())
        say(step, {opened[-1].next(b""): 1})
    elif word == "close":
        say(step, {opened[-1].next(None): 1})
    else:
        raise ValueError(f"there is no step {step}")


aside = []
for step in sys.argv[2:]:
    if step.startswith("&"):
        aside.append(threading.Thread(target=do, args=(step[1:],)))
        aside[-1].start()
    else:
        do(step)
for thread in aside:
    thread.join()
channel.close()
