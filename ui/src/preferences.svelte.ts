/** What the viewer chose for this browser: language and light or dark. */
export type Language = 'en' | 'de';
export type Theme = 'system' | 'light' | 'dark';

function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name: string, value: string) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser that keeps nothing still shows everything.
  }
}

function firstLanguage(): Language {
  const chosen = kept('language');
  if (chosen === 'en' || chosen === 'de') return chosen;
  return navigator.language.toLowerCase().startsWith('de') ? 'de' : 'en';
}

function firstTheme(): Theme {
  const chosen = kept('theme');
  return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

export const preferences = $state({ language: firstLanguage(), theme: firstTheme() });

function apply() {
  document.documentElement.lang = preferences.language;
  document.documentElement.dataset['theme'] = preferences.theme;
}
apply();

export function setLanguage(language: Language) {
  preferences.language = language;
  keep('language', language);
  apply();
}

export function setTheme(theme: Theme) {
  preferences.theme = theme;
  keep('theme', theme);
  apply();
}

/** Counts up whenever colors may have changed, for canvases that must be drawn anew. */
export const appearance = $state({ version: 0 });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (appearance.version += 1));
