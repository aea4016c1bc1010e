// The journeys of a person in front of a running `fettler demo`: FETTLER_URL=… FETTLER_PASSWORD=… node tests/ui/e2e.mjs [PART OF A NAME]
import { ask as askAs, axeSource, browser, logIn, plantScreens, screens, settled, url } from './lib.mjs';

const only = process.argv[2] ?? '';
let passed = 0;
const failures = [];
async function check(name, f) {
  if (!name.includes(only)) return;
  try {
    await f();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAILED  ${name}: ${String(error).split('\n').slice(0, 6).join(' | ')}`);
  }
}
function that(condition, message) {
  if (!condition) throw new Error(message);
}
/** Waits until `f` says yes, at most so long; nothing here may depend on how fast the machine is. */
async function until(f, what, timeoutMs = 20_000) {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await page.waitForTimeout(150)) if (await f()) return;
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
}

const chromium = await browser();
const context = await chromium.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 900 }, acceptDownloads: true });
const page = await context.newPage();
const complaints = [];
const listen = (view) => {
  view.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  view.on('response', (answer) => answer.status() >= 400 && answer.status() !== 401 && complaints.push(`${answer.status()} ${answer.request().method()} ${answer.url()}`));
  view.on('pageerror', (error) => complaints.push(String(error)));
};
listen(page);
const ask = (path) => askAs(page, path);
const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};

// Log in
await page.goto(url);
await page.waitForSelector('input[name=password]');
if (!only) {
  await check('the door says where the first password is', async () => that(/terminal/.test(await page.textContent('form')), 'no hint'));
  await check('a wrong password is refused in words', async () => {
    await page.fill('input[name=password]', 'wrong');
    await press('Enter');
    await page.waitForSelector('[role=alert]');
  });
}
await logIn(page);
passed += 1;
console.log('ok      log in');
// Being asked to log in is a 401, which the console of a browser always tells.
complaints.length = 0;

// Overview
await check('machines are live', async () => {
  await page.waitForSelector('.machines .reading');
  const values = () => page.$$eval('.machines .reading', (all) => all.map((one) => one.textContent).join());
  const first = await values();
  await until(async () => (await values()) !== first, 'no value moved');
  that(await page.isVisible('text=/\\d values\\/s/'), 'the rate is not shown');
});
await check('the developing fault raises an alarm that says what to do', async () => {
  await page.goto(url);
  await page.waitForSelector('a.strip', { timeout: 150_000 });
  const text = await page.textContent('a.strip');
  that(/→ .{10}/.test(text), text);
});

// Alarms, by keyboard alone
await check('an alarm is found and acknowledged by keyboard', async () => {
  await page.goto(url);
  await page.waitForSelector('main h1');
  await press('g', 'a');
  await page.waitForSelector('.alarm');
  const before = (await ask('alarms?view=active')).alarms.find((alarm) => alarm.state === 'unack' || alarm.state === 'rtn_unack');
  await press('j');
  await page.waitForSelector('.alarm.chosen');
  await page.waitForSelector('text=What to do');
  await press('a');
  await until(async () => (await ask('alarms?view=all')).alarms.some((alarm) => alarm.acked_by === 'admin' && alarm.state === 'acked'), 'nobody acknowledged');
  if (before) await page.waitForSelector('text=/acknowledged/');
});
await check('an alarm is shelved with time and reason, shown, and taken back', async () => {
  await page.goto(`${url}/alarms`);
  await page.waitForSelector('.alarm');
  await press('j');
  await page.waitForSelector('.alarm.chosen');
  await press('s');
  await page.waitForSelector('dialog');
  await page.click('dialog button:has-text("15 min")');
  await page.fill('dialog textarea', 'end-to-end test');
  await page.click('dialog button.primary');
  await page.waitForSelector('dialog', { state: 'detached' });
  await until(async () => (await ask('alarms?view=shelved')).alarms.some((alarm) => alarm.overlay_reason === 'end-to-end test'), 'it is not shelved');
  await page.goto(`${url}/alarms?view=shelved`);
  await page.waitForSelector('.alarm');
  await press('j');
  await page.click('button:has-text("Unshelve")');
  await until(async () => (await ask('alarms?view=shelved')).alarms.length === 0, 'it is still shelved');
});
await check('the detail of an alarm says why, how it went and what was done', async () => {
  const { alarms } = await ask('alarms?view=all');
  await page.goto(`${url}/alarms/${alarms[0].id}?view=all`);
  await page.waitForSelector('.uplot canvas');
  await page.waitForSelector('.history li');
  that(await page.isVisible('text=If nothing is done'), 'no consequence');
});

// Trends
let signal;
await check('the whole history of a signal draws, with its extremes in the table', async () => {
  const { signals } = await ask('signals?q=spindle02&limit=50');
  signal = signals.find((one) => one.name === 'spindle/temperature') ?? signals[0];
  const extent = await ask('extent');
  await page.goto(`${url}/trends?signals=${signal.id}&from=${extent.from_us}&to=${extent.to_us}&table=1`);
  await page.waitForSelector('.uplot canvas');
  that((await page.textContent('.legend')).includes(signal.name), 'the signal is not named');
  const drawn = await page.evaluate(() => {
    const canvas = document.querySelector('.uplot canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let at = 3; at < data.length; at += 4) n += data[at] > 0 ? 1 : 0;
    return n;
  });
  that(drawn > 2000, `only ${drawn} pixels are drawn`);
  await page.waitForSelector('[role=table] [role=cell]');
});
await check('the cursor of a chart is moved and read by keyboard', async () => {
  await page.focus('.chart');
  await press('Home', 'Shift+ArrowRight', 'ArrowRight');
  await until(async () => /\d/.test(await page.textContent('p[aria-live=polite]')), 'nothing is said');
});
await check('drag, wheel and minimap change the address', async () => {
  for (const act of [
    async (box) => { await page.mouse.move(box.x + 300, box.y + 60); await page.mouse.down(); await page.mouse.move(box.x + 380, box.y + 60, { steps: 5 }); await page.mouse.up(); },
    async (box) => { await page.mouse.move(box.x + 300, box.y + 60); await page.mouse.wheel(0, -300); },
    async () => { await page.focus('.map'); await press('ArrowLeft'); },
  ]) {
    const before = page.url();
    await act(await (await page.$('.u-over')).boundingBox());
    await until(() => page.url() !== before, 'the address stayed');
  }
});
await check('a trend is downloaded as CSV', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('button:has-text("Download CSV")')]);
  that(download.suggestedFilename().endsWith('.csv'), download.suggestedFilename());
});

// SQL, data
await check('SQL answers and stays in the address', async () => {
  await page.goto(`${url}/sql`);
  await page.fill('textarea', 'SELECT count(*) AS n FROM samples');
  await page.focus('textarea');
  await press('Control+Enter');
  await page.waitForSelector('[role=cell]');
  that(Number(await page.textContent('[role=cell]')) > 100_000, 'the history is not there');
  await page.reload();
  await page.waitForSelector('[role=cell]');
});
await check('a mistake in SQL is told in words', async () => {
  await page.goto(`${url}/sql`);
  await page.fill('textarea', 'SELECT nonsense FROM samples');
  await page.click('button:has-text("Run")');
  await page.waitForSelector('[role=alert]');
  complaints.length = 0;
});
await check('the balance holds', async () => {
  await page.goto(`${url}/data`);
  await page.waitForSelector('text=The books balance');
});
await check('the losses of a machine are told, against the cycle that was declared for it', async () => {
  await page.goto(`${url}/settings?tab=shifts`);
  const cycle = page.locator('label:has-text("press01") input');
  await cycle.fill('4');
  await page.click('button.primary');
  await page.waitForSelector('[role=status]:has-text("Saved")', { state: 'attached' });
  await page.goto(`${url}/losses`);
  await page.click('.machines a:has-text("press01")');
  await page.waitForSelector('text=/Ideal cycle 4(.0+)? s a part, as declared/');
  await page.waitForSelector('.advice');
  const { machines } = await ask('oee');
  const { times } = machines.find((machine) => machine.name === 'press01').total;
  const seconds = Object.values(times).reduce((sum, part) => sum + part, 0);
  that(seconds > 6 * 86400 && seconds <= 7 * 86400 + 3600, `${seconds} s of seven days`);
  await page.goto(`${url}/settings?tab=shifts`);
  await page.locator('input[type=time]').nth(1).fill('15:00');
  await page.click('button.primary');
  await page.waitForSelector('[role=alert]:has-text("begins before shift")');
  complaints.length = 0;
});
await check('what has no place is placed by one click', async () => {
  const name = `e2e${Date.now()}`;
  const answer = await page.evaluate(async (name) => (await fetch('/api/v2/write?bucket=x&precision=s', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: `${name} v=1` })).status, name);
  if (answer !== 204) throw new Error(`the write was answered with ${answer}`);
  await page.goto(`${url}/data?tab=inbox`);
  await page.waitForSelector(`text=${name}`, { timeout: 15_000 });
  const row = page.locator('.waiting', { hasText: name });
  const place = (await ask('assets')).find((asset) => asset.n_signals > 0).path;
  await row.locator('input').fill(`${place}:${name}`);
  await row.locator('button').click();
  await until(async () => (await ask(`signals?q=${name}`)).signals.some((one) => one.asset !== null && one.path.startsWith(place)), 'it is not placed');
});

// Language, theme, palette
await check('German and back', async () => {
  await page.goto(url);
  await page.click('button[aria-label="DE Deutsch"]');
  await page.waitForSelector('h1:has-text("Übersicht")');
  that((await page.getAttribute('html', 'lang')) === 'de', 'the language is not told');
  await page.click('button[aria-label="EN English"]');
  await page.waitForSelector('h1:has-text("Overview")');
});
await check('light and dark are switched', async () => {
  const shade = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.click('button[aria-label^="Light or dark"]');
  const light = await shade();
  await page.click('button[aria-label^="Light or dark"]');
  that((await shade()) !== light, 'nothing changed');
  await page.click('button[aria-label^="Light or dark"]');
});
await check('the palette goes where it is told', async () => {
  await press('Control+k');
  await page.waitForSelector('dialog');
  await page.keyboard.type('press01');
  await page.waitForSelector('[role=option]:has-text("press01")');
  await press('Enter');
  await page.waitForSelector('h1:has-text("press01")');
});
await check('g and a letter reach every screen', async () => {
  for (const [letter, path] of Object.entries({ o: '/', a: '/alarms', p: '/performance', l: '/losses', t: '/trends', m: '/assets', d: '/data', s: '/sql', e: '/settings' })) {
    await page.evaluate(() => document.activeElement?.blur?.());
    await press('g', letter);
    await until(() => new URL(page.url()).pathname === path, `g ${letter}`, 3000);
  }
});
await check('the first tab stop skips to the content', async () => {
  await page.goto(url);
  await page.waitForSelector('main h1');
  await press('Tab');
  that((await page.evaluate(() => document.activeElement?.getAttribute('href'))) === '#content', 'the first stop is another');
});

// Every screen, both schemes, both languages, three widths
const all = [...screens, ...(await plantScreens(page))];
for (const [colorScheme, width, locale] of [['light', 1440, 'en-GB'], ['dark', 1440, 'de-DE'], ['light', 360, 'de-DE'], ['dark', 360, 'en-GB']]) {
  const view = await (await chromium.newContext({ colorScheme, locale, viewport: { width, height: 850 }, storageState: await withoutChoices(context) })).newPage();
  listen(view);
  for (const path of all) {
    await check(`${path.slice(0, 60)} ${colorScheme} ${width} px ${locale.slice(0, 2)}: axe finds nothing, nothing sticks out`, async () => {
      await view.goto(url + path);
      await settled(view);
      await view.evaluate(axeSource);
      const { violations } = await view.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      that(violations.length === 0, violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 160)}`).join('; '));
      const over = await view.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      that(over <= 0, `${over} px too wide`);
    });
  }
  await view.context().close();
}

/** The cookie alone: what the journeys above chose must not choose for these. */
async function withoutChoices(context) {
  return { ...(await context.storageState()), origins: [] };
}

await check('the console is quiet', () => that(complaints.length === 0, complaints.slice(0, 3).join('; ')));
await chromium.close();
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
