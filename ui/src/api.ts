/**
 * The HTTP API (docs/reference/http-api.md) with the types of `openapi.json`.
 *
 * Every call answers with what the contract promises or throws an `ApiError`, whose text is for a person.
 */
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Alarm = Schemas['Alarm'];
export type AlarmList = Schemas['AlarmList'];
export type Asset = Schemas['Asset'];
export type AssetDetail = Schemas['AssetDetail'];
export type Contribution = Schemas['Contribution'];
export type Diagnosis = Schemas['Diagnosis'];
export type Effect = Schemas['Effect'];
export type MachineOee = Schemas['MachineOee'];
export type OeeSettings = Schemas['OeeSettings'];
export type Level = Schemas['Level'];
export type Machine = Schemas['Machine'];
export type MappingRule = Schemas['MappingRule'];
export type Me = Schemas['Me'];
export type Rule = Schemas['Rule'];
export type BackTest = Schemas['BackTest'];
export type Series = Schemas['SeriesView'];
export type SignalNow = Schemas['SignalNow'];
export type Trend = Schemas['TrendView'];
export type Transition = Schemas['Transition'];
export type Waiting = Schemas['Waiting'];

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Prefix = '/api/v1';
type Short<P> = P extends `${Prefix}${infer Rest}` ? Rest : never;
/** Paths of the contract that know the method, without their common prefix. */
type PathOf<M extends Method> = { [P in keyof paths]: paths[P][M] extends object ? Short<P> : never }[keyof paths];
type Call<M extends Method, P extends PathOf<M>> = `${Prefix}${P}` extends keyof paths ? paths[`${Prefix}${P}`][M] : never;
type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;
type Answer<C> = C extends { responses: infer R } ? (R extends { 200: infer Ok } ? Json<Ok> : undefined) : never;
type Body<C> = C extends { requestBody: infer B } ? Json<B> : undefined;
type Names<C, K extends 'path' | 'query'> = C extends { parameters: { [key in K]?: infer N } } ? NonNullable<N> : undefined;

interface Options<C> {
  path?: Names<C, 'path'>;
  query?: Names<C, 'query'>;
  body?: Body<C> extends undefined ? Record<string, never> : Partial<Body<C>>;
  signal?: AbortSignal;
}

/** What went wrong, in words for a person; status 0 means that nobody answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null,
    readonly field: string | null = null,
    readonly present: unknown = null,
  ) {
    super(message);
  }
}

let loggedOut = () => {};

/** Calls `told` when the server says that nobody is logged in. */
export function whenLoggedOut(told: () => void) {
  loggedOut = told;
}

async function request(method: Method, url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method: method.toUpperCase(), headers: { 'content-type': 'application/json' } };
  if (signal) init.signal = signal;
  if (method !== 'get') init.body = JSON.stringify(body ?? {});
  let answer: Response;
  try {
    answer = await fetch(url, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'unreachable', '', null);
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && !url.endsWith('/login') && !url.endsWith('/me')) loggedOut();
  throw await problem(answer);
}

async function problem(answer: Response): Promise<ApiError> {
  const text = await answer.text();
  let error: Partial<Schemas['Problem']> = {};
  try {
    error = JSON.parse(text).error ?? {};
  } catch {
    error = { message: text.slice(0, 300) };
  }
  const message = error.message || `HTTP ${answer.status}`;
  return new ApiError(answer.status, error.code ?? '', message, error.hint ?? null, error.field ?? null, error.present);
}

function address(path: string, names: object = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(names[name as never])));
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(asked.map(([name, value]) => [name, String(value)])).toString();
  return `/api/v1${filled}${search && `?${search}`}`;
}

async function call<M extends Method, P extends PathOf<M>>(method: M, path: P, options: Options<Call<M, P>>): Promise<Answer<Call<M, P>>> {
  const url = address(path, options.path as object | undefined, options.query as object | undefined);
  const answer = await request(method, url, options.body, options.signal);
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as Answer<Call<M, P>>;
}

export const get = <P extends PathOf<'get'>>(path: P, options: Options<Call<'get', P>> = {}) => call('get', path, options);
export const post = <P extends PathOf<'post'>>(path: P, options: Options<Call<'post', P>> = {}) => call('post', path, options);
export const put = <P extends PathOf<'put'>>(path: P, options: Options<Call<'put', P>> = {}) => call('put', path, options);
export const patch = <P extends PathOf<'patch'>>(path: P, options: Options<Call<'patch', P>> = {}) => call('patch', path, options);
export const del = <P extends PathOf<'delete'>>(path: P, options: Options<Call<'delete', P>> = {}) => call('delete', path, options);

/** The answer of a query as a CSV file, at most 1,000,000 rows. */
export async function queryCsv(query: string): Promise<Blob> {
  const answer = await request('post', '/api/v1/sql', { query, format: 'csv', max_rows: 1_000_000 });
  return answer.blob();
}

/** Hands a file to the browser's downloads. */
export function save(blob: Blob, name: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
