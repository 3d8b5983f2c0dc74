// A writer that never ends by itself, for the test that kills it: appends batches and tells of each when append resolved.
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import { edge } from './edges.ts';

const [file = ''] = process.argv.slice(2);
const store = await openSqliteStore({ file, clock: () => new Date() });
for (let batch = 0; ; batch++) {
  await store.append({ edges: Array.from({ length: 10 }, (_, port) => edge({ port, time: batch * 60_000 })), losses: [] });
  await new Promise<void>((resolve) => process.stdout.write(`${batch + 1}\n`, () => resolve()));
}
