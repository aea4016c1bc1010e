/**
 * What changes by itself: newest values, health, alarms, over one WebSocket per tab.
 *
 * A screen says what it shows (`watch`) and reads `value`, `health` and `alarms`; only what it read is drawn anew.
 * Alarms carry a number without holes; on a hole, and after every reconnect, the whole list is read again.
 */
import { SvelteMap } from 'svelte/reactivity';
import { merge } from './alarms';
import { get, type Alarm, type Level } from './api';

export interface Value { time_us: number; value: number | null; quality: number }
export interface Health { score: number | null; level: Level; state: string | null }
export interface Status { accepted: number; stored: number; rejected: number; dropped: number; rate_per_s: number; read_only: string | null }

export type Message =
  | { type: 'hello'; now_us: number; alarm_seq: number }
  | { type: 'values'; now_us: number; values: [number, number, number | null, number][] }
  | { type: 'health'; assets: [number, number | null, Level, string | null][] }
  | { type: 'alarm'; seq: number; alarm: Alarm }
  | ({ type: 'status' } & Status);

const MAX_WAIT_MS = 10_000;
const MAX_SIGNALS = 5_000;

class Live {
  connected = $state(false);
  /** The server's clock: ages are told by the clock that stamped the values. */
  nowUs = $state(Date.now() * 1000);
  status = $state.raw<Status | null>(null);
  alarms = $state.raw<readonly Alarm[]>([]);
  alarmsLoaded = $state(false);
  flood = $state(false);
  ratePerH = $state<number | null>(null);
  readonly values = new SvelteMap<number, Value>();
  readonly health = new SvelteMap<number, Health>();
}

export const live = new Live();

let socket: WebSocket | null = null;
let isWanted = false;
let tries = 0;
let seq = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let skewUs = 0;

const watched = { signals: new Map<number, number>(), assets: new Map<number, number>() };
let isTelling = false;

function add(to: Map<number, number>, ids: readonly number[], by: 1 | -1) {
  for (const id of ids) {
    const users = (to.get(id) ?? 0) + by;
    if (users > 0) to.set(id, users);
    else to.delete(id);
  }
}

/** Asks for values of `signals` and health of `assets` until the returned function is called. */
export function watch(signals: readonly number[], assets: readonly number[] = []): () => void {
  add(watched.signals, signals, 1);
  add(watched.assets, assets, 1);
  tell();
  return () => {
    add(watched.signals, signals, -1);
    add(watched.assets, assets, -1);
    tell();
  };
}

/** Tells the server what is shown; many rows that come into view together are one message. */
function tell() {
  if (isTelling) return;
  isTelling = true;
  queueMicrotask(() => {
    isTelling = false;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const signals = [...watched.signals.keys()].slice(0, MAX_SIGNALS);
    socket.send(JSON.stringify({ subscribe: { signals, assets: [...watched.assets.keys()], alarms: true } }));
  });
}

export function startLive() {
  if (isWanted) return;
  isWanted = true;
  // Not only when the socket is open: the frame waits for them before it shows a page.
  void loadAlarms();
  connect();
}

export function stopLive() {
  isWanted = false;
  clearTimeout(retry);
  socket?.close();
  live.values.clear();
  live.health.clear();
  live.alarms = [];
  live.alarmsLoaded = false;
}

function connect() {
  if (!isWanted) return;
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const mine = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
  socket = mine;
  mine.onopen = () => {
    tries = 0;
    live.connected = true;
    tell();
    void loadAlarms();
  };
  mine.onmessage = (event) => receive(JSON.parse(event.data as string) as Message);
  mine.onclose = () => {
    if (socket !== mine) return;
    live.connected = false;
    tries += 1;
    // Tabs of a whole control room must not come back in the same instant.
    const waitMs = Math.min(MAX_WAIT_MS, 250 * 2 ** Math.min(tries, 6)) * (0.5 + Math.random());
    if (isWanted) retry = setTimeout(connect, waitMs);
  };
}

function receive(message: Message) {
  switch (message.type) {
    case 'hello':
      setNow(message.now_us);
      break;
    case 'values':
      setNow(message.now_us);
      for (const [signal, time_us, value, quality] of message.values) live.values.set(signal, { time_us, value, quality });
      break;
    case 'health':
      for (const [asset, score, level, state] of message.assets) live.health.set(asset, { score, level, state });
      break;
    case 'alarm':
      receiveAlarm(message.seq, message.alarm);
      break;
    case 'status':
      live.status = message;
      break;
  }
}

function setNow(nowUs: number) {
  skewUs = nowUs - Date.now() * 1000;
  // Ages are shown in seconds; drawing them with every batch would only burn the battery.
  if (Math.abs(nowUs - live.nowUs) >= 1e6) live.nowUs = nowUs;
}

setInterval(() => setNow(Date.now() * 1000 + skewUs), 1000);

const arrived: Alarm[] = [];

/** Keeps one alarm; those of one frame are drawn together, so that a flood cannot freeze the screen. */
function receiveAlarm(at: number, alarm: Alarm) {
  if (live.alarmsLoaded && at > seq + 1) {
    void loadAlarms();
    return;
  }
  seq = Math.max(seq, at);
  if (arrived.push(alarm) === 1) setTimeout(placeArrived, 16);
}

function placeArrived() {
  live.alarms = merge(live.alarms, arrived.splice(0));
}

/** Shows an alarm as an answer of the server told it. */
export function place(alarm: Alarm) {
  live.alarms = merge(live.alarms, [alarm]);
}

let loading: Promise<void> | null = null;

/** Reads the whole list; calls that come while it is being read share one reading. */
export function loadAlarms(): Promise<void> {
  loading ??= get('/alarms', { query: { view: 'all' } })
    .then((list) => {
      live.alarms = merge(list.alarms, arrived.splice(0));
      live.flood = list.flood;
      live.ratePerH = list.rate_per_h;
      live.alarmsLoaded = true;
      seq = list.seq;
    })
    .catch(() => undefined)
    .finally(() => (loading = null));
  return loading;
}

// The rate per hour and the flood flag are not in the stream.
setInterval(() => {
  if (live.connected && document.visibilityState === 'visible') void loadAlarms();
}, 60_000);
