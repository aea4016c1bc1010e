import { messages, type Key } from './messages';

export type Language = 'en' | 'de';

function initial(): Language {
  const kept = typeof localStorage === 'undefined' ? null : localStorage.getItem('language');
  if (kept === 'en' || kept === 'de') return kept;
  return typeof navigator !== 'undefined' && navigator.language.startsWith('de') ? 'de' : 'en';
}

export const language = $state({ now: initial() as Language });

export function setLanguage(to: Language) {
  language.now = to;
  localStorage.setItem('language', to);
  document.documentElement.lang = to;
}

/** The text of a key in the viewer's language; `{name}` is filled from `values`. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text = messages[key][language.now === 'de' ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}
