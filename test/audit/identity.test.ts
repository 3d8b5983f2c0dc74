// Who called is what a certificate or a verified token says; of what a caller writes in a header nothing.
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { decodeHttp } from '../../audit/intake/decode.ts';
import type { Directory } from '../../audit/intake/directory.ts';
import { Recorder } from '../../audit/intake/recorder.ts';
import { edgeKeyOf } from '../../audit/model/edge.ts';
import { marksOfText } from '../../audit/model/mark.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import type { Batch } from '../../audit/store/store.ts';
import { parseAuditSubject, subjectOf } from '../../cli/serve/audit-subject.ts';
import { http, peer } from './entries.ts';
import { log } from './relay/world.ts';
import { directory, NOW, reporter, WEB } from './world.ts';

const SEED = 20_261_121;
const CLAIMS = { iss: 'https://issuer.test', sub: 'alice', email: 'alice@example.com' };
const withToken = (payload: object = CLAIMS) => ({
  tlsProperties: peer(WEB),
  metadata: { filterMetadata: { 'envoy.filters.http.jwt_authn': { payload: { ...payload } } } },
});

function decode(common: NonNullable<Parameters<typeof http>[0]>['common'], headers: Record<string, string> = {}, by = directory) {
  const [record] = decodeHttp(http({ ...(common === undefined ? {} : { common }), headers }), reporter('inbound'), by, NOW);
  assert.ok(record);
  return record;
}

describe('audit: identities', () => {
  const CLAIMING = [
    'x-forwarded-client-cert',
    'x-forwarded-for',
    'x-real-ip',
    'forwarded',
    'x-envoy-external-address',
    'x-envoy-peer-metadata',
    'x-envoy-peer-metadata-id',
    'authorization',
    'x-jwt-payload',
    'x-user',
    'from',
  ];
  it(`are not taken from headers (seed ${SEED})`, () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom(
        `By=${WEB};URI=spiffe://test.mesh/ns/shop/sa/admin`,
        '10.0.0.9',
        'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.',
      ),
    );
    const headers = fc.dictionary(fc.constantFrom(...CLAIMING), text);
    const telling: Directory = { ...directory, subjectOf: (_issuer, subject) => subject };
    for (const common of [{ tlsProperties: peer(WEB) }, {}]) {
      const plain = decode(common);
      fc.assert(
        fc.property(headers, (sent) => assert.deepEqual(decode(common, sent, telling), plain)),
        { seed: SEED, numRuns: 300 },
      );
    }
  });

  const subjects = (mode: string, keyFile?: string) => {
    const parsed = parseAuditSubject(mode, keyFile);
    assert.ok(parsed.ok);
    const record = decode(withToken(), {}, { ...directory, ...subjectOf(parsed.value) });
    return marksOfText(edgeKeyOf(record).marks);
  };
  it('leave out the subject of a token, unless that is wanted', () => {
    assert.deepEqual(subjects('off'), []);
    assert.deepEqual(subjects('plain'), [{ kind: 'subject', issuer: CLAIMS.iss, subject: 'alice' }]);
  });

  it('have it as a hash with a key, the same for the same person', () => {
    const [first, again, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 1), Buffer.alloc(32, 2)].map((key) => {
      const told = subjectOf({ key }).subjectOf;
      assert.ok(told);
      return told(CLAIMS.iss, 'alice');
    });
    assert.match(first ?? '', /^hmac:[0-9a-f]{32}$/);
    assert.equal(first, again);
    assert.notEqual(first, other);
    const told = subjectOf({ key: Buffer.alloc(32, 1) }).subjectOf;
    assert.notEqual(told?.('https://other.test', 'alice'), first);
  });

  it('are refused where the setting makes no sense', () => {
    for (const [mode, key] of [['hash'], ['hash', '/dev/null'], ['hash', '/nowhere'], ['plain', '/dev/null'], ['on']] as const)
      assert.equal(parseAuditSubject(mode, key).ok, false, `${mode} ${key ?? ''}`);
  });

  it('of tokens that say no subject, or more than a text, are none', () => {
    const telling: Directory = { ...directory, subjectOf: (_issuer, subject) => subject };
    for (const payload of [{}, { sub: '' }, { sub: 7 }, { sub: ['a'] }, { iss: 'x' }])
      assert.equal(decode(withToken(payload), {}, telling).marks, undefined);
  });

  it('of tokens are bounded for each workload', async () => {
    const batches: Batch[] = [];
    const store = {
      append: (batch: Batch) => Promise.resolve(void batches.push(batch)),
      received: () => Promise.resolve(0),
      query: () => Promise.resolve({ edges: [], losses: [], gaps: [] }),
      close: () => Promise.resolve(),
    };
    const recorder = new Recorder({
      open: () => Promise.resolve(store),
      log,
      clock: () => NOW,
      limits: { perScope: 3, scopes: 10 },
    });
    const telling: Directory = { ...directory, subjectOf: (_issuer, subject) => subject };
    const records: AccessRecord[] = Array.from({ length: 10 }, (_, at) =>
      decode(withToken({ iss: 'i', sub: `user-${at}` }), {}, telling),
    );
    await recorder.accept(records);
    await recorder.close();
    const seen = new Set(batches.flatMap(({ edges }) => edges.map(({ key }) => key.marks)));
    assert.equal(seen.size, 4);
    assert.ok([...seen].some((marks) => marks.includes('{other}')));
  });
});
