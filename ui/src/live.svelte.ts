/** One WebSocket per tab: newest values, health, alarms. */
import { get, type Alarm, type Level } from './api';

export interface Live { time_us: number; value: number | null; quality: number }

export const live = $state({
  connected: false,
  nowUs: Date.now() * 1000,
  values: {} as Record<number, Live>,
  health: {} as Record<number, { score: number | null; level: Level; state: string | null }>,
  alarms: [] as Alarm[],
  alarmsLoaded: false,
  status: null as null | { accepted: number; stored: number; rejected: number; dropped: number; rate_per_s: number; read_only: string | null },
});

let socket: WebSocket | null = null;
let seq = 0;
let tries = 0;
let stopped = true;
const wanted = { signals: [] as number[], assets: [] as number[] };

export async function loadAlarms() {
  const list = await get<{ alarms: Alarm[]; seq: number }>('alarms?view=all');
  live.alarms = list.alarms;
  live.alarmsLoaded = true;
  seq = list.seq;
}

/** Says which signals the page shows; replaces what was said before. */
export function watch(signals: number[], assets: number[] = []) {
  wanted.signals = signals;
  wanted.assets = assets;
  subscribe();
}

function subscribe() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ subscribe: { signals: wanted.signals, assets: wanted.assets, alarms: true } }));
}

export function startLive() {
  stopped = false;
  connect();
}

export function stopLive() {
  stopped = true;
  socket?.close();
}

function connect() {
  if (stopped) return;
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
  socket.onopen = () => {
    tries = 0;
    live.connected = true;
    subscribe();
    void loadAlarms().catch(() => {});
  };
  socket.onmessage = (event) => receive(JSON.parse(event.data as string));
  socket.onclose = () => {
    live.connected = false;
    tries += 1;
    setTimeout(connect, Math.min(10_000, 300 * 2 ** Math.min(tries, 6)) * (0.5 + Math.random()));
  };
}

type Message =
  | { type: 'hello'; now_us: number; alarm_seq: number }
  | { type: 'values'; now_us: number; values: [number, number, number | null, number][] }
  | { type: 'health'; assets: [number, number | null, Level, string | null][] }
  | { type: 'alarm'; seq: number; alarm: Alarm }
  | ({ type: 'status' } & NonNullable<typeof live.status>);

function receive(message: Message) {
  switch (message.type) {
    case 'hello':
      live.nowUs = message.now_us;
      break;
    case 'values':
      live.nowUs = message.now_us;
      for (const [signal, time_us, value, quality] of message.values) live.values[signal] = { time_us, value, quality };
      break;
    case 'health':
      for (const [asset, score, level, state] of message.assets) live.health[asset] = { score, level, state };
      break;
    case 'alarm':
      if (live.alarmsLoaded && message.seq > seq + 1) {
        // A hole: the list knows what we missed.
        void loadAlarms().catch(() => {});
        return;
      }
      seq = Math.max(seq, message.seq);
      place(message.alarm);
      break;
    case 'status':
      live.status = message;
      break;
  }
}

export function place(alarm: Alarm) {
  const at = live.alarms.findIndex((other) => other.id === alarm.id);
  if (at >= 0) {
    if ((live.alarms[at]?.seq ?? 0) <= alarm.seq) live.alarms[at] = alarm;
  } else live.alarms.push(alarm);
}

/** Needs somebody now: not hidden, and active or not yet seen. */
export function calls(alarm: Alarm): boolean {
  return alarm.overlay === null && alarm.state !== 'normal';
}

/** Most urgent first: not seen before seen, then priority, then the oldest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  const seen = (alarm: Alarm) => (alarm.state === 'unack' ? 0 : alarm.state === 'rtn_unack' ? 1 : 2);
  return seen(a) - seen(b) || a.priority - b.priority || a.since_us - b.since_us;
}

setInterval(() => {
  live.nowUs = Math.max(live.nowUs, Date.now() * 1000);
}, 1000);
