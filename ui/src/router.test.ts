// @vitest-environment node
import { expect, test, vi } from 'vitest';

vi.stubGlobal('location', { pathname: '/', search: '' });
const { parse } = await import('./router.svelte');

test.each([
  ['/', 'overview', null], ['/alarms', 'alarms', null], ['/alarms/17', 'alarms', 17], ['/assets/5', 'assets', 5], ['/sql', 'sql', null],
  ['/sql/5', null, null], ['/assets/x', null, null], ['/assets/5/6', null, null], ['/nowhere', null, null],
])('%s', (path, screen, id) => expect(parse(path)).toEqual({ screen, id }));
