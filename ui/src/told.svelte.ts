/** What the server says in English, in the viewer's language as far as there are words for it. */
import { preferences } from './preferences.svelte';
import { germanOf } from './told';

/** Read only by those who need it: it is half as large as the rest of the texts. */
let german = $state.raw<Record<string, string>>();
let isAsked = false;

/** A title, message, cause, consequence or response; what somebody wrote by hand stays as it is. */
export function told(text: string): string {
  if (preferences.language !== 'de') return text;
  if (!isAsked) {
    isAsked = true;
    import('./library.de').then(
      (library) => (german = library.german),
      () => (isAsked = false),
    );
  }
  return german ? germanOf(text, german) : text;
}
