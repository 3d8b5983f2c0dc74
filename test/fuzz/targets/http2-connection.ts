import { strict as assert } from 'node:assert';
import { conversation, OTHERS, OURS } from '../http2/conversation.ts';
import { inChunks, mutateFrames } from '../http2/mutate-frames.ts';
import { frameByFrame } from '../http2/parsed-frames.ts';
import { ServerSide } from '../http2/server-side.ts';
import { WrittenRules } from '../http2/written-rules.ts';
import { oneOf, type Random } from '../random.ts';
import type { Target } from '../target.ts';

const pathOf = (random: Random): string => (random() < 0.05 ? OTHERS : OURS);

/** Frames on a connection of ours: nothing is written that may not be, and what is written does not depend on how the bytes came. */
export function http2ConnectionTarget(): Promise<Target> {
  return Promise.resolve({
    name: 'http2-connection',
    async run(random, told) {
      const [valid, other] = [conversation(random, pathOf), conversation(random, pathOf)];
      const isValid = random() < 0.1;
      const bytes = isValid ? Buffer.concat(valid.frames) : mutateFrames(valid.frames, other.frames, random);
      told(bytes);
      const rules = ruled(bytes, isValid ? valid.whole : []);
      if (isValid)
        assert.ok(rules.goneAway === undefined || rules.goneAway === 0, `a rule was broken by none: ${rules.goneAway}`);
      const [whole, chunks] = [played([bytes]), played(inChunks(bytes, random))];
      assert.deepEqual(chunks, whole, 'how the bytes were cut changed what was written');
      await slowly(bytes, random);
      return rules.goneAway === undefined || rules.goneAway === 0 ? 'accepted' : 'refused';
    },
    close: () => Promise.resolve(),
  });
}

function played(chunks: readonly Buffer[]): { written: Buffer; ended: number } {
  const written: Buffer[] = [];
  const side = new ServerSide({ wrote: (bytes) => written.push(bytes) });
  side.connection();
  side.settle();
  for (const chunk of chunks) side.receive(chunk);
  return { written: Buffer.concat(written), ended: side.ended };
}

/** Frame by frame, and each answered at once. */
function ruled(bytes: Buffer, whole: readonly number[]): WrittenRules {
  const rules = new WrittenRules();
  const side = new ServerSide({ wrote: (written) => rules.wrote(written) });
  const connection = side.connection();
  for (const chunk of frameByFrame(bytes)) {
    rules.heardChunk(chunk);
    side.receive(chunk);
  }
  const failed = rules.goneAway !== undefined && rules.goneAway !== 0;
  assert.equal(connection.over, side.ended === 1);
  if (failed) assert.equal(side.ended, 1);
  if (rules.frames.length > 1 && !connection.over) assert.ok(rules.roomForClient > 0, 'the client may send no more');
  if (rules.goneAway === undefined)
    for (const stream of whole) assert.ok(rules.answered.has(stream) || rules.reset.has(stream), `no answer on ${stream}`);
  return rules;
}

/** Calls that take their time, a client and a listener that go away at any time, and a clock. */
async function slowly(bytes: Buffer, random: Random): Promise<void> {
  const rules = new WrittenRules();
  let [now, gone] = [0, false];
  const [stale, answering] = [random() < 0.1, oneOf(random, [0, 0.1, 0.5])];
  const side = new ServerSide({
    wrote: (written) => (gone ? undefined : rules.wrote(written)),
    slow: true,
    clock: () => now,
    isStale: () => stale,
  });
  const connection = side.connection();
  for (const chunk of frameByFrame(bytes)) {
    rules.heardChunk(chunk);
    side.receive(chunk);
    rules.nothingHeard();
    now += 1000 * random();
    if (random() < answering) await side.answerOne(random());
    if (random() < 0.02) connection.goAway();
    if (random() < 0.02 && !connection.over) connection.ping();
    if (random() < 0.01) {
      connection.closed();
      gone = true;
    }
    side.settle();
  }
  while (side.waiting > 0) await side.answerOne(random());
  assert.equal(side.atWork, 0);
  if (gone) return;
  connection.goAway();
  side.settle();
  assert.ok(side.ended <= 1, 'ended twice');
}
