"""Real clients against a running `fettler demo`: paho-mqtt, influxdb 1 and 2, deltalake, DuckDB.

FETTLER_WEB=127.0.0.1:8080 FETTLER_MQTT=127.0.0.1:1883 FETTLER_PASSWORD=… FETTLER_DIR=… python tests/python/clients.py
"""

import gzip
import json
import os
import sys
import threading
import time
import traceback
import urllib.request
from http.cookiejar import CookieJar

import duckdb
import influxdb
import influxdb_client
import paho.mqtt.client as mqtt
from deltalake import DeltaTable
from influxdb_client.client.write_api import SYNCHRONOUS

WEB = os.environ["FETTLER_WEB"]
HOST, PORT = os.environ["FETTLER_MQTT"].rsplit(":", 1)
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def api(method, path, body=None):
    request = urllib.request.Request(f"http://{WEB}/api/v1/{path}", method=method)
    request.add_header("Content-Type", "application/json")
    data = None if body is None else json.dumps(body).encode()
    with opener.open(request, data) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def sql(query):
    return api("POST", "sql", {"query": query, "format": "json", "max_rows": 1000})["rows"]


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def connect(protocol, name, **kwargs):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
    for key, value in kwargs.pop("will", {}).items():
        client.will_set(key, value, qos=1)
    client.messages = []
    client.on_message = lambda _client, _data, message: client.messages.append(message)
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.connect(HOST, int(PORT), keepalive=kwargs.get("keepalive", 60))
    client.loop_start()
    assert ready.wait(10), "no CONNACK"
    return client


def subscribe(client, topic, qos=1):
    done = threading.Event()
    client.on_subscribe = lambda *_: done.set()
    client.subscribe(topic, qos)
    assert done.wait(10), "no SUBACK"


def stop(client):
    client.disconnect()
    client.loop_stop()


def mqtt_roundtrip(protocol):
    tag = f"v{int(protocol)}"
    listener = connect(protocol, f"listener-{tag}", keepalive=0)
    subscribe(listener, f"py/{tag}/#")
    sender = connect(protocol, f"sender-{tag}")
    for n in range(300):
        sender.publish(f"py/{tag}/one/value", n, qos=1)
    sender.publish(f"py/{tag}/one/quiet", 5, qos=0)
    last = sender.publish(f"py/{tag}/one/json", json.dumps({"a": 1.5, "b": {"c": 2}, "ts": int(time.time() * 1000)}), qos=1)
    last.wait_for_publish(20)
    rows = sql(f"SELECT count(*) FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path = 'py/{tag}/one:value'")
    assert rows == [[300]], f"PUBACK means stored: {rows}"
    assert sql(f"SELECT count(*) FROM signals WHERE path = 'py/{tag}/one:json/b/c'") == [[1]]
    wait_for("all messages", lambda: len(listener.messages) == 302)
    values = [int(m.payload) for m in listener.messages if m.topic.endswith("/value")]
    assert values == list(range(300)), f"order: {values}"
    stop(sender)
    stop(listener)


def mqtt_retained_and_will(protocol):
    tag = f"v{int(protocol)}"
    sender = connect(protocol, f"keeper-{tag}")
    sender.publish(f"py/{tag}/kept", "7", qos=1, retain=True).wait_for_publish(10)
    stop(sender)
    dying = connect(protocol, f"dying-{tag}", will={f"py/{tag}/will": "99"})
    late = connect(protocol, f"late-{tag}")
    subscribe(late, f"py/{tag}/+")
    wait_for("the retained message", lambda: any(m.retain and m.payload == b"7" for m in late.messages))
    dying._sock_close()
    wait_for("the will", lambda: any(m.topic.endswith("/will") and m.payload == b"99" for m in late.messages))
    late.publish(f"py/{tag}/kept", b"", qos=1, retain=True).wait_for_publish(10)
    stop(late)


def mqtt_session_survives_absence():
    def client():
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="absent", protocol=mqtt.MQTTv311, clean_session=False)
        client.messages = []
        client.on_message = lambda _client, _data, message: client.messages.append(message.payload)
        client.connect(HOST, int(PORT))
        client.loop_start()
        return client

    first = client()
    subscribe(first, "py/absent")
    stop(first)
    sender = connect(mqtt.MQTTv311, "meanwhile")
    for n in range(10):
        sender.publish("py/absent", n, qos=1).wait_for_publish(10)
    stop(sender)
    second = client()
    wait_for("what came meanwhile", lambda: second.messages == [str(n).encode() for n in range(10)])
    stop(second)


def declared_payloads():
    """Machines whose messages nobody could guess: two rules, no code."""
    rows = api("POST", "mapping-rules", {
        "source": "mqtt", "pattern": "py/{machine}/rows", "asset": "py/{machine}", "signal": "oil/{field}", "asset_types": [],
        "payload": {"samples": "/d", "time": {"pointer": "/0", "unit": "s"},
                    "values": [{"name": "temperature", "pointer": "/1"}, {"name": "pressure", "pointer": "/2"}]},
    })
    burst = api("POST", "mapping-rules", {
        "source": "mqtt", "pattern": "py/{machine}/burst", "asset": "py/{machine}", "signal": "{field}", "asset_types": [],
        "payload": {"samples": "/accel", "time": {"pointer": "/start", "unit": "iso", "step_us": 500},
                    "values": [{"name": "accel", "pointer": ""}]},
    })
    sender = connect(mqtt.MQTTv311, "declared")
    sender.publish("py/dev1/rows", '{"d": [[1767225600, 21.5, 3], [1767225600.5, 22.5, 4]], "fw": 7}', qos=1)
    sender.publish("py/dev1/rows", '{"d": [["soon", 1, 2]]}', qos=1)
    sender.publish("py/dev1/burst", '{"start": "2026-01-01T00:00:00Z", "accel": [0.5, -0.5, 0.25]}', qos=1).wait_for_publish(20)
    stop(sender)
    stored = sql("""SELECT g.path, s.value, CAST(s.time AS BIGINT) - 1767225600000000 FROM samples s
                    JOIN signals g ON g.id = s.signal WHERE g.path LIKE 'py/dev1:%' ORDER BY 1, 3""")
    expected = [
        ["py/dev1:accel", 0.5, 0], ["py/dev1:accel", -0.5, 500], ["py/dev1:accel", 0.25, 1000],
        ["py/dev1:oil/pressure", 3.0, 0], ["py/dev1:oil/pressure", 4.0, 500000],
        ["py/dev1:oil/temperature", 21.5, 0], ["py/dev1:oil/temperature", 22.5, 500000],
    ]
    assert stored == expected, stored
    for rule in rows, burst:
        api("DELETE", f"mapping-rules/{rule['id']}")


def influx_clients():
    v1 = influxdb.InfluxDBClient(*WEB.split(":"), database="plant", gzip=True)
    assert v1.write_points([{"measurement": "py/influx1", "fields": {"x": 1.5, "n": 2}, "time": 1767225600000000000}])
    with influxdb_client.InfluxDBClient(f"http://{WEB}", token="", org="o", enable_gzip=True) as v2:
        writer = v2.write_api(write_options=SYNCHRONOUS)
        writer.write("bucket", "o", [f"py/influx2,machine=m{n} x={n} 176722560{n}000000000" for n in range(5)])
    rows = sql("SELECT g.path, s.value FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%py/influx%' ORDER BY 1, 2")
    assert len(rows) == 7, rows


def partial_write_names_the_bad_line():
    body = gzip.compress(b"good x=1 1767225600000000000\nbad x=oops\ngood x=2 1767225601000000000\n")
    request = urllib.request.Request(f"http://{WEB}/api/v2/write?bucket=b&org=o", body, {"Content-Encoding": "gzip"})
    try:
        urllib.request.urlopen(request)
        raise AssertionError("a bad line was accepted")
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        assert error.code == 400 and "line 2" in text, text
    assert sql("SELECT count(*) FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%good/x'") == [[2]]


def tables_open_in_deltalake_and_duckdb():
    path = os.path.join(os.environ["FETTLER_DIR"], "lake", "1", "samples")
    wait_for("the first flush", lambda: os.path.isdir(os.path.join(path, "_delta_log")), 60)
    wait_for("the history in the table", lambda: len(DeltaTable(path).file_uris()) > 25, 60)
    table = DeltaTable(path)
    arrow = table.to_pyarrow_table(columns=["signal", "value"])
    files = [file.removeprefix("file://") for file in table.file_uris()]
    counted = duckdb.sql(f"SELECT count(*), sum(value) FROM read_parquet({files})").fetchone()
    assert counted[0] == arrow.num_rows > 1_000_000, (counted, arrow.num_rows)


def main():
    api("POST", "login", {"user": "admin", "password": os.environ["FETTLER_PASSWORD"]})
    cases = [
        ("paho 3.1.1: QoS 1 and 0, JSON, wildcard, keep-alive 0", lambda: mqtt_roundtrip(mqtt.MQTTv311)),
        ("paho 5: QoS 1 and 0, JSON, wildcard, keep-alive 0", lambda: mqtt_roundtrip(mqtt.MQTTv5)),
        ("paho 3.1.1: retained and will", lambda: mqtt_retained_and_will(mqtt.MQTTv311)),
        ("paho 5: retained and will", lambda: mqtt_retained_and_will(mqtt.MQTTv5)),
        ("a session survives absence", mqtt_session_survives_absence),
        ("payloads that rules declare", declared_payloads),
        ("influx clients 1 and 2, gzip", influx_clients),
        ("a partial write names the bad line", partial_write_names_the_bad_line),
        ("tables open in deltalake and DuckDB while Fettler runs", tables_open_in_deltalake_and_duckdb),
    ]
    failed = 0
    for name, case in cases:
        try:
            case()
            print(f"ok      {name}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
