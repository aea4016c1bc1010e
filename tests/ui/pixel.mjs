// From PUBLISH to a painted number: many machines send over MQTT QoS 1, Chromium shows one of them. `fettler bench pixel` runs it.
// FETTLER_URL=… FETTLER_MQTT=HOST:PORT FETTLER_PASSWORD=… node tests/ui/pixel.mjs [VALUES PER SECOND] [SECONDS]
// Topics must be mapped as {site}/{line}/{machine}/{signal}. Publisher and browser share one clock: it is one machine.
import { connect } from 'node:net';
import { ask, browser, logIn, url } from './lib.mjs';

const TARGETS = { p50: 50, p99: 250 };
const rate = Number(process.argv[2] ?? 10_000);
const seconds = Number(process.argv[3] ?? 30);
const SIGNALS = 20; // of a machine
const HZ = 2; // of a signal
const TICK_MS = 10;
const GATEWAYS = 10; // connections
const machines = Math.max(1, Math.round(rate / SIGNALS / HZ));
const [host, port] = (process.env.FETTLER_MQTT ?? '127.0.0.1:1883').split(':');
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const text = (string) => Buffer.concat([Buffer.from([string.length >> 8, string.length & 255]), Buffer.from(string)]);
function packet(kind, body) {
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return Buffer.concat([Buffer.from([kind, ...length]), body]);
}

/** One connection for several machines: what is sent in one tick goes out in one write. */
class Gateway {
  constructor(number) {
    this.id = 0;
    this.nSent = 0;
    this.nAcked = 0;
    this.out = [];
    this.socket = connect({ host, port: Number(port), noDelay: true });
    this.ready = new Promise((resolve, reject) => {
      this.socket.once('error', reject);
      this.socket.once('data', (connack) => {
        if (connack[3] !== 0) reject(new Error('the broker refused the connection'));
        // CONNACK and PUBACK of 3.1.1 are four bytes.
        let n_bytes = connack.length - 4;
        this.nAcked = Math.floor(n_bytes / 4);
        this.socket.on('data', (acks) => {
          n_bytes += acks.length;
          this.nAcked = Math.floor(n_bytes / 4);
        });
        resolve();
      });
    });
    this.socket.write(packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text(`pixel-${number}`)])));
  }

  put(topic, payload) {
    this.id = (this.id % 65_000) + 1;
    this.nSent += 1;
    this.out.push(packet(0x32, Buffer.concat([text(topic), Buffer.from([this.id >> 8, this.id & 255]), Buffer.from(payload)])));
  }

  flush() {
    if (this.out.length) this.socket.write(Buffer.concat(this.out));
    this.out = [];
  }
}

const topic = (machine, signal) => `pixel/line${machine % 10}/m${machine}/s${String(signal).padStart(2, '0')}`;
const gateways = Array.from({ length: GATEWAYS }, (_, number) => new Gateway(number));
await Promise.all(gateways.map((gateway) => gateway.ready));

/** When each value of the machine that is watched was published: by signal and value. */
const published = Array.from({ length: SIGNALS }, () => new Map());
const perRound = machines * SIGNALS;
let n = 0;
let isOn = true;
const publishing = (async () => {
  const started = now();
  while (isOn) {
    const due = Math.floor(((now() - started) / 1000) * perRound * HZ);
    // Machines take turns, so that the one that is watched speaks all the time.
    for (; n < due; n += 1) {
      const [value, place] = [Math.floor(n / perRound) + 1, n % perRound];
      const [signal, machine] = [Math.floor(place / machines), place % machines];
      const sentMs = now();
      gateways[machine % GATEWAYS].put(topic(machine, signal), `{"t":${Math.floor(sentMs)},"v":${value}}`);
      if (machine === 0) published[signal].set(value, sentMs);
    }
    for (const gateway of gateways) gateway.flush();
    await sleep(TICK_MS);
  }
})();
const total = (name) => gateways.reduce((sum, gateway) => sum + gateway[name], 0);

/** Runs in the page: notes after each frame which numbers it shows that it did not show before. */
function record() {
  const shown = new Map();
  window.painted = [];
  const { port1, port2 } = new MessageChannel();
  let fresh = [];
  // A message posted in a frame's callback comes after that frame was painted.
  port1.onmessage = () => {
    const at = performance.timeOrigin + performance.now();
    for (const [name, value] of fresh) window.painted.push([name, value, at]);
    fresh = [];
  };
  const look = () => {
    for (const row of document.querySelectorAll('main tbody tr')) {
      const [name, value] = [row.querySelector('a')?.textContent, row.querySelector('.reading > span')?.textContent];
      if (name && value && shown.get(name) !== value) {
        shown.set(name, value);
        fresh.push([name, Number(value.replaceAll(',', ''))]);
      }
    }
    if (fresh.length) port2.postMessage(null);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

const chrome = await browser();
let isFine = false;
try {
  const page = await (await chrome.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 1200 } })).newPage();
  await logIn(page);
  let machine;
  for (let tries = 0; !machine && tries < 1200; tries += 1) {
    machine = (await ask(page, 'assets')).find((asset) => asset.name === 'm0' && asset.n_signals === SIGNALS);
    if (!machine) await sleep(100);
  }
  if (!machine) throw new Error('the machine did not appear in two minutes; are topics mapped?');
  await page.goto(`${url}/assets/${machine.id}`);
  await page.waitForFunction((n) => document.querySelectorAll('main .reading').length === n, SIGNALS);
  // New signals have all been registered when as much is acknowledged as was sent.
  for (let tries = 0; total('nSent') - total('nAcked') > rate / 10 && tries < 600; tries += 1) await sleep(100);
  await page.evaluate(record);
  await sleep(1000);
  const from = now();
  await sleep(seconds * 1000);
  const until = now();
  await sleep(1000);
  isOn = false;
  await publishing;
  const painted = await page.evaluate(() => window.painted);

  for (let tries = 0; total('nAcked') < total('nSent') && tries < 100; tries += 1) await sleep(100);
  const answer = await page.evaluate(async () => {
    const body = JSON.stringify({ query: 'SELECT count(*) FROM samples' });
    return (await fetch('/api/v1/sql', { method: 'POST', headers: { 'content-type': 'application/json' }, body })).json();
  });
  const [nSent, nAcked, nStored] = [total('nSent'), total('nAcked'), answer.rows[0][0]];

  const seen = new Map(painted.map(([name, value, at]) => [`${name} ${value}`, at]));
  const latencies = [];
  let nLost = 0;
  published.forEach((values, signal) => {
    for (const [value, sentMs] of values) {
      if (sentMs < from || sentMs >= until) continue;
      const at = seen.get(`s${String(signal).padStart(2, '0')} ${value}`);
      if (at === undefined) nLost += 1;
      else latencies.push(at - sentMs);
    }
  });
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  isFine = at(0.5) <= TARGETS.p50 && at(0.99) <= TARGETS.p99 && nLost === 0 && nSent === nAcked && nSent === nStored;
  console.log(`load        ${machines} machines, ${perRound} signals, ${Math.round(perRound * HZ)} values/s; ${nSent} published = ${nAcked} acknowledged = ${nStored} stored`);
  console.log(`to pixel    p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, slowest ${at(1).toFixed(0)} ms of ${latencies.length} values of one machine; ${nLost} not painted; targets p50 ${TARGETS.p50} ms, p99 ${TARGETS.p99} ms, 0 lost: ${isFine ? 'reached' : 'missed'}`);
} finally {
  isOn = false;
  await chrome.close();
  for (const gateway of gateways) gateway.socket.destroy();
}
process.exit(isFine ? 0 : 1);
