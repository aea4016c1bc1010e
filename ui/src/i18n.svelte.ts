/** Texts, numbers and times in the viewer's language. Reading any of them follows a change of language. */
import * as format from './format';
import { preferences } from './preferences.svelte';
import { messages, type Key } from './messages';

/** The text of a key; `{name}` is filled from `values`, and stays when there is none. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text = messages[key][preferences.language === 'de' ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? `{${name}}`));
}

/** The text of a code that the server sends, or the code itself when we have no word for it. */
export function word(prefix: string, code: string): string {
  const key = `${prefix}_${code}`;
  return key in messages ? t(key as Key) : code.replaceAll('_', ' ');
}

export const number = (value: number | null | undefined) => format.number(value, preferences.language);
export const plain = (value: number) => format.plain(value, preferences.language);
export const count = (value: number) => format.count(value, preferences.language);
export const percent = (share: number) => format.percent(share, preferences.language);
export const bytes = (value: number) => format.bytes(value, preferences.language);
export const clock = (timeUs: number, nowUs: number) => format.clock(timeUs, nowUs, preferences.language);
export const moment = (timeUs: number) => format.moment(timeUs, preferences.language);
export const duration = format.duration;
