import { strict as assert } from 'node:assert';
import { FirstCall } from '../../../../ca/service/http2/first-call.ts';
import { Output } from '../../../../ca/service/http2/output.ts';
import { ACKNOWLEDGED, dataOf, framesIn, headersOf, PATH, PREFACE, SETTINGS, told } from './bare-connection.ts';
import { callFields, literal } from './raw-fields.ts';
import { encodeFrame, FLAGS, TYPE, uint32 } from './raw-frame.ts';

const OURS = headersOf(1);
const OTHERS = headersOf(1, '/test.Service/Other');
const BEGIN = Buffer.concat([PREFACE, SETTINGS]);
const PRIORITY = encodeFrame(TYPE.PRIORITY, FLAGS.NONE, 3, Buffer.alloc(5));
const ROOM = encodeFrame(TYPE.WINDOW_UPDATE, FLAGS.NONE, 0, uint32(1000));
const ping = (text: string): Buffer => encodeFrame(TYPE.PING, FLAGS.NONE, 0, Buffer.from(text));

/** A connection that is looked at, and what came of it. */
class Looked {
  decided: string | undefined;
  arrived: Buffer = Buffer.alloc(0);
  begun: boolean | undefined;
  readonly first: FirstCall;
  #written: Buffer[] = [];
  #tasks: (() => void)[] = [];

  constructor() {
    this.first = new FirstCall({
      output: new Output(
        (bytes) => this.#written.push(bytes),
        (task) => this.#tasks.push(task),
      ),
      isOurs: ({ path }) => path === PATH,
      concurrentStreams: 7,
      decided: (whose, { bytes, begun }) => {
        assert.equal(this.decided, undefined, 'decided twice');
        [this.decided, this.arrived, this.begun] = [whose, bytes, begun];
      },
    });
  }

  /** Gives it these in one piece, and tells what is written on that. */
  receive(...bytes: readonly Buffer[]): string[] {
    this.first.receive(Buffer.concat(bytes));
    return this.written().map(told);
  }

  written() {
    for (const task of this.#tasks.splice(0)) task();
    return framesIn(Buffer.concat(this.#written.splice(0)));
  }

  /** Whose it is, with exactly these bytes, and whether our SETTINGS have been sent. */
  isDecided(whose: 'ours' | 'others', begun: boolean, ...bytes: readonly Buffer[]): void {
    assert.deepEqual([this.decided, this.begun], [whose, begun]);
    assert.equal(this.arrived.toString('hex'), Buffer.concat(bytes).toString('hex'));
  }
}

describe('ca/service/http2: whose a connection is', () => {
  it('is said by a call in the first flight, before anything is written', () => {
    for (const [whose, call] of [
      ['ours', OURS],
      ['others', OTHERS],
    ] as const) {
      const looked = new Looked();
      const rest = Buffer.concat([dataOf(1, 'x'), Buffer.of(0, 0)]);
      assert.deepEqual(looked.receive(BEGIN, ROOM, PRIORITY, call, rest), []);
      looked.isDecided(whose, false, BEGIN, ROOM, PRIORITY, call, rest);
    }
  });

  it('is said by a call after our SETTINGS, which say how many may come at once and nothing else', () => {
    const looked = new Looked();
    looked.first.receive(BEGIN);
    const [settings, ...more] = looked.written();
    assert.deepEqual([settings?.type, settings?.flags, settings?.stream, more], [TYPE.SETTINGS, FLAGS.NONE, 0, []]);
    assert.equal(settings?.payload.toString('hex'), '000300000007');
    assert.deepEqual(looked.receive(OURS), []);
    looked.isDecided('ours', true, BEGIN, OURS);
  });

  it('that is for others is theirs at once where our SETTINGS were acknowledged, without the acknowledgement', () => {
    const looked = new Looked();
    assert.deepEqual(looked.receive(BEGIN), ['SETTINGS']);
    assert.deepEqual(looked.receive(ACKNOWLEDGED, ROOM), []);
    assert.equal(looked.decided, undefined);
    assert.deepEqual(looked.receive(OTHERS), []);
    looked.isDecided('others', true, BEGIN, ROOM, OTHERS);
  });

  it('that is for others is held until the acknowledgement has come, with all that came before it', () => {
    const looked = new Looked();
    looked.receive(BEGIN);
    const second = headersOf(3);
    assert.deepEqual(looked.receive(OTHERS, dataOf(1, 'x'), second), []);
    assert.equal(looked.decided, undefined);
    assert.deepEqual(looked.receive(ping('a ping!!'), dataOf(3, 'y')), ['PING ACK']);
    assert.equal(looked.decided, undefined);
    assert.deepEqual(looked.receive(ACKNOWLEDGED, ACKNOWLEDGED, PRIORITY), []);
    looked.isDecided(
      'others',
      true,
      BEGIN,
      OTHERS,
      dataOf(1, 'x'),
      second,
      dataOf(3, 'y'),
      // Only the first is for what we sent.
      ACKNOWLEDGED,
      PRIORITY,
    );
  });

  it('is said by a call with CONTINUATION, however its bytes come', () => {
    const fields = callFields(PATH);
    const call = [
      encodeFrame(TYPE.HEADERS, FLAGS.NONE, 1, fields.subarray(0, 20)),
      encodeFrame(TYPE.CONTINUATION, FLAGS.NONE, 1, fields.subarray(20, 50)),
      encodeFrame(TYPE.CONTINUATION, FLAGS.END_HEADERS, 1, fields.subarray(50)),
    ];
    const bytes = Buffer.concat([BEGIN, ...call]);
    const whole = new Looked();
    whole.receive(bytes);
    whole.isDecided('ours', false, bytes);
    const slow = new Looked();
    const said: string[] = [];
    for (const byte of bytes) {
      assert.equal(slow.decided, undefined);
      said.push(...slow.receive(Buffer.of(byte)));
    }
    assert.deepEqual(said, ['SETTINGS']);
    slow.isDecided('ours', true, bytes);
  });

  it('waits while pings are answered, behind our SETTINGS; who gets it does not see them', () => {
    for (const [whose, call] of [
      ['ours', OURS],
      ['others', OTHERS],
    ] as const) {
      const looked = new Looked();
      looked.first.receive(Buffer.concat([BEGIN, ping('the 1st!'), ping('the 2nd!')]));
      const frames = looked.written();
      assert.deepEqual(frames.map(told), ['SETTINGS', 'PING ACK', 'PING ACK']);
      assert.deepEqual(
        frames.slice(1).map(({ payload }) => payload.toString()),
        ['the 1st!', 'the 2nd!'],
      );
      assert.deepEqual(looked.receive(ACKNOWLEDGED, call), []);
      looked.isDecided(whose, true, BEGIN, call);
    }
  });

  it('is ours where a rule is broken, which is told by whoever serves it; all that came is there', () => {
    const open = encodeFrame(TYPE.HEADERS, FLAGS.NONE, 1, callFields('/test.Service/Other'));
    const broken: readonly (readonly Buffer[])[] = [
      [PREFACE, ACKNOWLEDGED],
      [PREFACE, ping('too soon')],
      [PREFACE, OURS],
      [BEGIN, encodeFrame(TYPE.PING, FLAGS.NONE, 0, Buffer.alloc(7))],
      [BEGIN, encodeFrame(TYPE.PING, FLAGS.ACK, 0, Buffer.alloc(8))],
      [BEGIN, encodeFrame(TYPE.PING, FLAGS.NONE, 1, Buffer.alloc(8))],
      [BEGIN, encodeFrame(TYPE.SETTINGS, FLAGS.ACK, 1)],
      [BEGIN, encodeFrame(TYPE.SETTINGS, FLAGS.ACK, 0, Buffer.alloc(6))],
      [BEGIN, dataOf(1, 'x')],
      [BEGIN, encodeFrame(TYPE.RST_STREAM, FLAGS.NONE, 1, uint32(8))],
      [BEGIN, encodeFrame(TYPE.PUSH_PROMISE, FLAGS.NONE, 1)],
      [BEGIN, encodeFrame(TYPE.CONTINUATION, FLAGS.END_HEADERS, 1)],
      [BEGIN, open, ping('between!')],
      [BEGIN, open, ACKNOWLEDGED],
      [BEGIN, open, encodeFrame(TYPE.CONTINUATION, FLAGS.END_HEADERS, 3)],
      [BEGIN, encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, 1, literal(':status', '200'))],
      [BEGIN, encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS, 1, Buffer.of(0xff))],
      [BEGIN, encodeFrame(TYPE.HEADERS, FLAGS.END_HEADERS | FLAGS.PADDED, 1, Buffer.of(9))],
      [BEGIN, Buffer.of(0, 0x40, 1, TYPE.DATA, 0, 0, 0, 0, 1)],
    ];
    for (const [n, frames] of broken.entries())
      for (const cut of [false, true]) {
        const looked = new Looked();
        const said = cut ? frames.flatMap((part) => looked.receive(part)) : looked.receive(...frames, PRIORITY);
        // Whatever broke the rule, our SETTINGS are all that was said, and only where there was time.
        assert.deepEqual([n, said], [n, cut && frames.length > 1 ? ['SETTINGS'] : []]);
        looked.isDecided('ours', cut, ...frames, ...(cut ? [] : [PRIORITY]));
      }
  });

  it('is ours where it does not begin as HTTP/2 does, as soon as that is seen', () => {
    const looked = new Looked();
    assert.deepEqual(looked.receive(Buffer.from('PRI')), []);
    assert.equal(looked.decided, undefined);
    assert.deepEqual(looked.receive(Buffer.from('NT / HTTP/1.1')), []);
    looked.isDecided('ours', false, Buffer.from('PRINT / HTTP/1.1'));
  });

  it('is ours where too much comes before a call, or while one for others waits for the acknowledgement', () => {
    const room = encodeFrame(TYPE.DATA, FLAGS.NONE, 1, Buffer.alloc(16_384));
    for (const [before, one, most] of [
      [[], PRIORITY, 1000],
      [[], encodeFrame(0x42, 0, 0, Buffer.alloc(16_384)), 10],
      [[OTHERS], room, 10],
      [[OTHERS], ROOM, 1000],
    ] as const) {
      const looked = new Looked();
      assert.deepEqual(looked.receive(BEGIN), ['SETTINGS']);
      if (before.length > 0) looked.receive(...before);
      let sent = 0;
      for (; looked.decided === undefined && sent <= most; sent++) assert.deepEqual(looked.receive(one), []);
      assert.ok(sent <= most && sent > most / 2, `${sent} frames`);
      looked.isDecided('ours', true, BEGIN, ...before, ...Array.from({ length: sent }, () => one));
    }
    // Pings are not kept, but counted.
    const pinged = new Looked();
    const said = pinged.receive(BEGIN, ...Array.from({ length: 1000 }, () => ping('again...')));
    pinged.isDecided('ours', true, BEGIN);
    assert.deepEqual([said[0], said.length], ['SETTINGS', 1001]);
  });

  it('is given up before the preface and before the acknowledgement', () => {
    for (const parts of [[], [PREFACE.subarray(0, 23)], [PREFACE], [BEGIN], [BEGIN, ROOM], [BEGIN, OTHERS]]) {
      const looked = new Looked();
      for (const part of parts) looked.receive(part);
      assert.equal(looked.first.giveUp(), false);
      assert.deepEqual([looked.decided, looked.written()], [undefined, []]);
    }
  });

  it('is for others to wait on where the client keeps quiet after the acknowledgement', () => {
    const half = OTHERS.subarray(0, 11);
    const looked = new Looked();
    looked.receive(BEGIN);
    looked.receive(ROOM, ACKNOWLEDGED, half);
    assert.equal(looked.first.giveUp(), true);
    assert.deepEqual(looked.written(), []);
    looked.isDecided('others', true, BEGIN, ROOM, half);
    // Once is enough.
    assert.equal(looked.first.giveUp(), true);
  });

  it('is ours where the listener goes away, with all that came', () => {
    for (const parts of [[], [PREFACE.subarray(0, 5)], [BEGIN], [BEGIN, OTHERS]]) {
      const looked = new Looked();
      for (const part of parts) looked.receive(part);
      looked.first.leave();
      looked.first.leave();
      looked.isDecided('ours', parts.includes(BEGIN), ...parts);
    }
  });

  it('stays what it is where it was decided', () => {
    const looked = new Looked();
    looked.receive(BEGIN, OURS);
    assert.equal(looked.first.giveUp(), true);
    looked.isDecided('ours', false, BEGIN, OURS);
  });
});
