// A writer that never ends by itself, for the test that kills it: ten calls each ten minutes of a time of its own, telling of each batch when append
// resolved, and rolling up piece by piece between them.
import { parseStoreLocation } from '../../../audit/store/location.ts';
import { openStore } from '../../../audit/store/open.ts';
import { edge } from '../edges.ts';
import { CRASH_KEEPING, CRASH_START, CRASH_STEP_MS } from './crash-world.ts';

const [where = '', from = '0'] = process.argv.slice(2);
const location = parseStoreLocation(where);
if (!location.ok) throw new Error(location.reason);
let batch = Number(from);
const now = (): number => CRASH_START + batch * CRASH_STEP_MS;
const store = await openStore(location.value, () => new Date(now()), CRASH_KEEPING);
for (; ; batch++) {
  const late = batch % 7 === 0 ? 3 * 3_600_000 : 0;
  await store.append({ edges: Array.from({ length: 10 }, (_, port) => edge({ port, time: now() - late })), losses: [] });
  await new Promise<void>((resolve) => process.stdout.write(`${batch + 1}\n`, () => resolve()));
  for (let piece = 0; piece < 4 && (await store.upkeep()); piece++);
}
