import { strict as assert } from 'node:assert';
import { FLAGS, type RawFrame, TYPE } from '../../ca/service/http2/raw-frame.ts';
import { conversation, OTHERS, OURS, PREFACE } from '../http2/conversation.ts';
import { inChunks, mutateFrames } from '../http2/mutate-frames.ts';
import { frameByFrame, parsedFrames } from '../http2/parsed-frames.ts';
import { ServerSide } from '../http2/server-side.ts';
import { WrittenRules } from '../http2/written-rules.ts';
import { type Random, below } from '../random.ts';
import type { Target } from '../target.ts';

/** Connections of which it is not known yet whose they are: what others get is what the client said, and what is ours goes as if it always was. */
export function http2FirstCallTarget(): Promise<Target> {
  return Promise.resolve({
    name: 'http2-first-call',
    run(random, told) {
      const share = random();
      const pathOf = (here: Random): string => (here() < share ? OTHERS : OURS);
      const [valid, other] = [conversation(random, pathOf), conversation(random, pathOf)];
      const bytes = random() < 0.2 ? Buffer.concat(valid.frames) : mutateFrames(valid.frames, other.frames, random);
      told(bytes);
      const stopAfter = random() < 0.2 ? below(random, 10) : Infinity;
      const ways = [
        play([bytes], stopAfter),
        play(inChunks(bytes, random), Infinity),
        play(frameByFrame(bytes), stopAfter, new WrittenRules()),
        play(inChunks(bytes, random), stopAfter),
      ] as const;
      for (const way of ways) if (way.side.given !== undefined) isGivenWhole(way.fed, way.side.given, way.written);
      const plain = ways.filter(({ side, gaveUp }) => side.others === 0 && !gaveUp);
      for (const { written, side } of plain) {
        assert.equal(side.ours === undefined, plain[0]?.side.ours === undefined, 'how the bytes were cut changed whose it is');
        assert.ok(written.equals(plain[0]?.written ?? written), 'how the bytes were cut changed what was written');
      }
      return Promise.resolve(ways[0].failed ? ('refused' as const) : ('accepted' as const));
    },
    close: () => Promise.resolve(),
  });
}

interface Play {
  readonly side: ServerSide;
  /** What came, until nobody waited any longer. */
  readonly fed: Buffer;
  readonly gaveUp: boolean;
  readonly written: Buffer;
  readonly failed: boolean;
}

/**
 * @param stopAfter chunks after which an undecided connection is given up
 * @param rules for chunks that are frames
 */
function play(chunks: readonly Buffer[], stopAfter: number, rules?: WrittenRules): Play {
  const written: Buffer[] = [];
  const side = new ServerSide({
    wrote(bytes) {
      rules?.wrote(bytes);
      written.push(bytes);
    },
  }).undecided();
  const fed: Buffer[] = [];
  let gaveUp = false;
  for (const [count, chunk] of chunks.entries()) {
    if (count >= stopAfter && side.ours === undefined && side.given === undefined) {
      gaveUp = true;
      const others = side.first?.giveUp() === true;
      assert.equal(side.given !== undefined, others, 'given up, and yet not');
      if (!others) break;
    }
    fed.push(chunk);
    rules?.heardChunk(chunk);
    side.receive(chunk);
  }
  const wrote = Buffer.concat(written);
  return { side, fed: Buffer.concat(fed), gaveUp, written: wrote, failed: failedIn(wrote) };
}

function failedIn(written: Buffer): boolean {
  return parsedFrames(written).frames.some(({ type, payload }) => type === TYPE.GOAWAY && payload.readUInt32BE(4) !== 0);
}

const isPing = ({ type, flags, stream, payload }: RawFrame): boolean =>
  type === TYPE.PING && (flags & FLAGS.ACK) === 0 && stream === 0 && payload.length === 8;
const same = (a: RawFrame, b: RawFrame): boolean =>
  a.type === b.type && a.flags === b.flags && a.stream === b.stream && a.payload.equals(b.payload);

/** What others got is all that the client said but the acknowledgement of our SETTINGS and the pings that were answered, in its order. */
function isGivenWhole(fed: Buffer, given: Buffer, written: Buffer): void {
  assert.ok(given.subarray(0, PREFACE.length).equals(PREFACE), 'no preface was handed over');
  const [said, got] = [parsedFrames(fed.subarray(PREFACE.length)), parsedFrames(given.subarray(PREFACE.length))];
  const missing: RawFrame[] = [];
  let at = 0;
  for (const frame of said.frames) {
    const next = got.frames[at];
    if (next !== undefined && same(frame, next)) at++;
    else missing.push(frame);
  }
  assert.equal(at, got.frames.length, 'others got what the client did not say');
  assert.ok(got.rest.equals(said.rest), 'others got another half a frame');
  const ours = parsedFrames(written).frames;
  const [begun, ...answers] = ours;
  const pings = missing.filter(isPing);
  const acknowledged = missing.filter((frame) => !isPing(frame));
  assert.deepEqual(
    acknowledged.map(({ type, flags, stream, payload }) => [type, flags & FLAGS.ACK, stream, payload.length]),
    begun === undefined ? [] : [[TYPE.SETTINGS, FLAGS.ACK, 0, 0]],
    'what else is missing than the acknowledgement',
  );
  assert.ok(begun === undefined || (begun.type === TYPE.SETTINGS && begun.flags === FLAGS.NONE), 'SETTINGS are not the first');
  assert.deepEqual(
    answers.map(({ type, flags, payload }) => [type, flags, payload.toString('hex')]),
    pings.map(({ payload }) => [TYPE.PING, FLAGS.ACK, payload.toString('hex')]),
    'pings that were answered are not those that are missing',
  );
}
