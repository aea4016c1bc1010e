/** Who is logged in; `undefined` until the server has said so. */
import { get, post, whenLoggedOut, type Me } from './api';
import { startLive, stopLive } from './live.svelte';

export const session = $state<{ me: Me | null | undefined }>({ me: undefined });

export function enter(me: Me) {
  session.me = me;
  startLive();
}

function left() {
  session.me = null;
  stopLive();
}

export async function logOut() {
  await post('/logout').catch(() => undefined);
  left();
}

/** Engineers change the model, rules and detection; operators handle alarms. */
export function isEngineer(): boolean {
  return session.me?.role === 'engineer' || session.me?.role === 'admin';
}

export function isAdmin(): boolean {
  return session.me?.role === 'admin';
}

export async function startSession() {
  whenLoggedOut(left);
  try {
    enter(await get('/me'));
  } catch {
    left();
  }
}
