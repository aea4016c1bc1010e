/** The HTTP API (docs/reference/http-api.md), as far as screens use it. */

export interface Me { user: string; role: string; tenant: number; must_change_password: boolean }
export interface Contribution { signal: number; name: string; share: number; direction: number }
export interface Diagnosis {
  fault: string; title: string; confidence: number; cause: string; consequence: string; response: string; minutes_to_respond: number;
}
export type Level = 'learning' | 'acceptable' | 'monitor' | 'alarm' | 'danger';
export interface Asset {
  id: number; parent: number | null; name: string; path: string; kind: string; asset_type: string | null;
  health: number | null; state: string | null; worst_alarm: number | null; n_signals: number;
}
export interface SignalNow {
  id: number; asset: number | null; name: string; path: string; kind: string; unit: string; states: string[];
  range: [number, number] | null; normal: [number, number] | null;
  last: { time_us: number; value: number | null; quality: number; flags: string[] } | null; rate_per_s: number;
}
export interface Alarm {
  id: number; asset: number; asset_path: string; signal: number | null; rule: string; title: string; priority: number;
  state: 'normal' | 'unack' | 'acked' | 'rtn_unack'; overlay: 'shelved' | 'suppressed' | 'out_of_service' | null; latched: boolean;
  since_us: number; acked_by: string | null; value: number | null; limit: number | null; unit: string; message: string;
  cause: string; consequence: string; response: string; minutes_to_respond: number; respond_by_us: number | null;
  contributions: Contribution[]; diagnosis: Diagnosis[]; group: number | null; first_out: boolean; shelved_until_us: number | null;
  overlay_reason: string | null; overlay_by: string | null; seq: number; count: number;
}
export interface AssetDetail {
  asset: Asset; breadcrumbs: { id: number; name: string }[]; signals: SignalNow[];
  health: { score: number | null; level: Level; learning: boolean; learned_share: number; since_us: number; contributions: Contribution[]; diagnosis: Diagnosis[] } | null;
  alarms: Alarm[];
}
export interface Series {
  signal: number; time_us: number[]; min: (number | null)[]; max: (number | null)[]; first: (number | null)[]; last: (number | null)[];
  mean: (number | null)[]; count: number[]; bad: number[]; quality: number[];
}
export interface Trend { from_us: number; to_us: number; bucket_us: number; raw: boolean; series: Series[] }
export interface Overview {
  now_us: number; lines: { id: number; name: string; path: string }[]; line: number | null;
  machines: {
    id: number; name: string; title: string; state: string | null; health: number | null; level: Level; states: string[];
    segments: [number, number, number][];
    bars: { signal: number; name: string; unit: string; value: number | null; time_us: number; quality: number; normal: [number, number] | null; range: [number, number] | null }[];
    good: number | null; rejects: number | null; rate_per_h: number | null; alarm: Alarm | null;
  }[];
  stops: { machine: string; reason: string; count: number; seconds: number }[];
}

/** What went wrong, in words for a person. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly hint: string | null) {
    super(message);
  }
}

let onLoggedOut = () => {};
export function whenLoggedOut(f: () => void) {
  onLoggedOut = f;
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, headers: { 'content-type': 'application/json' } };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(`/api/v1/${path}`, init);
  } catch {
    throw new ApiError(0, 'Fettler does not answer.', 'Is it running, and is the network up?');
  }
  if (answer.status === 401 && path !== 'login') onLoggedOut();
  const text = await answer.text();
  if (!answer.ok) {
    let error: { message?: string; hint?: string } = {};
    try {
      error = JSON.parse(text).error ?? {};
    } catch {
      error = { message: text.slice(0, 300) };
    }
    throw new ApiError(answer.status, error.message ?? `Error ${answer.status}`, error.hint ?? null);
  }
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string) => call<T>('GET', path);
export const post = <T>(path: string, body: unknown = {}) => call<T>('POST', path, body);
export const put = <T>(path: string, body: unknown) => call<T>('PUT', path, body);
export const patch = <T>(path: string, body: unknown) => call<T>('PATCH', path, body);
export const del = (path: string) => call<void>('DELETE', path);

export async function csv(query: string): Promise<Blob> {
  const answer = await fetch('/api/v1/sql', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, format: 'csv', max_rows: 100000 }),
  });
  if (!answer.ok) throw new ApiError(answer.status, await answer.text(), null);
  return answer.blob();
}

export function save(blob: Blob, name: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
