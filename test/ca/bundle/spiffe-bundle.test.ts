import { strict as assert } from 'node:assert';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { formatSpiffeBundle, LARGEST_BUNDLE, parseSpiffeBundle, type SpiffeBundle } from '../../../ca/bundle/spiffe-bundle.ts';
import { createRoot } from '../../../ca/root/create.ts';
import { must } from '../identity/must.ts';
import { TD } from '../world.ts';

describe('ca: SPIFFE bundles as JSON', () => {
  let bundle: SpiffeBundle;
  before(async () => {
    const roots = [await createRoot(TD, new Date()), await createRoot(TD, new Date())];
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    bundle = {
      x509Authorities: roots.map(({ certificatePem }) => new X509Certificate(certificatePem)),
      jwtAuthorities: new Map([
        ['a', publicKey],
        ['b', rsa],
      ]),
      sequence: 7,
      refreshHintSeconds: 300,
    };
  });

  const changed = (change: (document: { keys: Record<string, unknown>[]; [name: string]: unknown }) => void): string => {
    const document = JSON.parse(formatSpiffeBundle(bundle));
    change(document);
    return JSON.stringify(document);
  };
  const reason = (text: string): string => {
    const result = parseSpiffeBundle(text);
    return result.ok ? '' : result.reason;
  };

  it('come back as they were written', () => {
    const text = formatSpiffeBundle(bundle);
    const again = must(parseSpiffeBundle(text));
    assert.deepEqual(
      again.x509Authorities.map(({ fingerprint256 }) => fingerprint256),
      bundle.x509Authorities.map(({ fingerprint256 }) => fingerprint256),
    );
    assert.deepEqual([...again.jwtAuthorities.keys()], ['a', 'b']);
    for (const [kid, key] of bundle.jwtAuthorities) assert.ok(again.jwtAuthorities.get(kid)?.equals(key));
    assert.deepEqual([again.sequence, again.refreshHintSeconds], [7, 300]);
    assert.equal(formatSpiffeBundle(again), text);
  });

  it('are written as the standard says: no key ID on x509-svid, exactly one certificate, no algorithm', () => {
    const { keys }: { keys: Record<string, unknown>[] } = JSON.parse(formatSpiffeBundle(bundle));
    assert.deepEqual(
      keys.map((key) => Object.keys(key)),
      [
        ['use', 'kty', 'x', 'y', 'crv', 'x5c'],
        ['use', 'kty', 'x', 'y', 'crv', 'x5c'],
        ['use', 'kid', 'kty', 'x', 'y', 'crv'],
        ['use', 'kid', 'kty', 'n', 'e'],
      ],
    );
    assert.deepEqual(
      keys.map(({ x5c }) => (Array.isArray(x5c) ? x5c.length : 0)),
      [1, 1, 0, 0],
    );
  });

  it('may be empty, but not without a list of keys', () => {
    assert.equal(must(parseSpiffeBundle('{"keys":[]}')).x509Authorities.length, 0);
    for (const text of ['{}', '{"keys":null}', '{"keys":{}}', '[]', 'null', '', '{"keys":[3]}'])
      assert.notEqual(reason(text), '', text);
    assert.match(reason(' '.repeat(LARGEST_BUNDLE + 1)), /1 MiB/);
  });

  it('leave out keys of other uses, and fields that are not known', () => {
    const text = changed((document) => {
      document.keys.push({ use: 'wit-svid', kty: 'EC' }, { kty: 'nonsense' });
      document['further'] = true;
    });
    const taken = must(parseSpiffeBundle(text));
    assert.deepEqual([taken.x509Authorities.length, taken.jwtAuthorities.size], [2, 2]);
  });

  const first = (keys: Record<string, unknown>[], at = 0): Record<string, unknown> => keys[at] ?? {};
  const WRONG: Readonly<Record<string, [RegExp, Parameters<typeof changed>[0]]>> = {
    'another key than its certificate': [
      /own parameters/,
      ({ keys }) => Object.assign(first(keys), { x: first(keys, 1)['x'], y: first(keys, 1)['y'] }),
    ],
    'two certificates': [/single certificate/, ({ keys }) => (first(keys)['x5c'] = [first(keys)['x5c'], 'AA=='].flat())],
    'no certificate': [/single certificate/, ({ keys }) => (first(keys)['x5c'] = [])],
    'a broken certificate': [/cannot be parsed/, ({ keys }) => (first(keys)['x5c'] = ['AAAA'])],
    'no key ID on jwt-svid': [/no key ID/, ({ keys }) => delete first(keys, 2)['kid']],
    'one key ID twice': [/twice/, ({ keys }) => (first(keys, 3)['kid'] = 'a')],
    'a key of no known kind': [/malformed/, ({ keys }) => (first(keys, 2)['kty'] = 'oct')],
    'a negative sequence': [/spiffe_sequence/, (document) => (document['spiffe_sequence'] = -1)],
    'a hint that is text': [/spiffe_refresh_hint/, (document) => (document['spiffe_refresh_hint'] = '60')],
  };
  for (const [name, [expected, change]] of Object.entries(WRONG))
    it(`are refused whole: ${name}`, () => assert.match(reason(changed(change)), expected));
});
