import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Extension, KeyUsageFlags } from '@peculiar/x509';
import { soleElement } from '../../../ca/der/read.ts';
import { element, sequence } from '../../../ca/der/write.ts';
import { acceptIntermediate } from '../../../ca/upstream/accept.ts';
import { checkChain } from '../../../ca/validate/chain.ts';
import { outsideOf, parseNameConstraints } from '../../../ca/validate/name-constraints.ts';
import { type TestAuthority, testAuthority, type TestAuthorityOptions } from '../upstream/certificates.ts';
import { TD, temporaryFolder } from '../world.ts';

const [DNS, URI, IP] = [0x82, 0x86, 0x87];

function constraints(permitted: readonly Buffer[], excluded: readonly Buffer[] = []): Buffer {
  const subtrees = (tag: number, bases: readonly Buffer[]) =>
    bases.length === 0 ? [] : [element(tag, ...bases.map((base) => sequence(base)))];
  return sequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));
}

const uri = (host: string): Buffer => element(URI, Buffer.from(host));
const dns = (host: string): Buffer => element(DNS, Buffer.from(host));
const constrained = (value: Buffer): Extension => new Extension('2.5.29.30', true, Uint8Array.from(value));

/** Root first; each certificate signed by the one before. */
async function chainOf(...levels: readonly Partial<TestAuthorityOptions>[]): Promise<readonly TestAuthority[]> {
  const made: TestAuthority[] = [];
  for (const [index, level] of levels.entries()) {
    const issuer = made.at(-1);
    made.push(await testAuthority({ name: `level ${index}`, ...level, ...(issuer && { issuer }) }));
  }
  return made;
}

const x509 = ({ pem }: TestAuthority): X509Certificate => new X509Certificate(pem);

describe('ca: chains of CA certificates', () => {
  const CASES: Readonly<Record<string, { levels: readonly Partial<TestAuthorityOptions>[]; fault?: RegExp }>> = {
    'a root alone': { levels: [{}] },
    'a root and three below': { levels: [{}, {}, {}, {}] },
    'a path length that is kept to': { levels: [{ pathLength: 1 }, { pathLength: 0 }] },
    'a path length of the root that is exceeded': { levels: [{ pathLength: 0 }, {}], fault: /path length/ },
    'a path length in the middle that is exceeded': { levels: [{}, { pathLength: 0 }, {}], fault: /path length/ },
    'a path length that a lower one cannot widen': { levels: [{ pathLength: 1 }, { pathLength: 5 }, {}], fault: /path length/ },
    'a member that is no CA': { levels: [{}, { ca: false }, {}], fault: /not those of a CA/ },
    'a member that may not sign certificates': { levels: [{}, { usages: KeyUsageFlags.cRLSign }], fault: /key usage/ },
    'names within the constraints': {
      levels: [{ extensions: [constrained(constraints([uri('cluster.local')]))] }, { uris: ['spiffe://cluster.local'] }],
    },
    'a name outside of the constraints': {
      levels: [{ extensions: [constrained(constraints([uri('cluster.local')]))] }, { uris: ['spiffe://other.domain'] }],
      fault: /outside of the permitted/,
    },
    'an excluded name': {
      levels: [{ extensions: [constrained(constraints([], [uri('other.domain')]))] }, { uris: ['spiffe://other.domain'] }],
      fault: /excluded/,
    },
    'constraints two levels above': {
      levels: [{ extensions: [constrained(constraints([uri('a.b')]))] }, {}, { uris: ['spiffe://c.d'] }],
      fault: /outside/,
    },
    'malformed constraints': { levels: [{ extensions: [constrained(Buffer.from('0500', 'hex'))] }, {}], fault: /malformed/ },
    'a critical extension that is not known': {
      levels: [{ extensions: [new Extension('1.2.3.4', true, Buffer.from('0500', 'hex'))] }, {}],
      fault: /not known/,
    },
    'another extension that is not critical': {
      levels: [{ extensions: [new Extension('1.2.3.4', false, Buffer.from('0500', 'hex'))] }, {}],
    },
  };
  const temporary = temporaryFolder();
  after(() => temporary.remove());
  for (const [name, { levels, fault }] of Object.entries(CASES))
    it(`${fault === undefined ? 'may issue' : 'may not issue'}: ${name}`, async () => {
      const made = await chainOf(...levels);
      const checked = checkChain(made.toReversed().map(x509));
      if (fault === undefined) assert.ok(checked.ok, checked.ok ? '' : checked.fault);
      else assert.match(checked.ok ? '' : checked.fault, fault);
      const below = made.at(-1);
      // OpenSSL's own reading, of a leaf below: what we allow it allows, and what it refuses we refuse.
      const leaf = await testAuthority({ name: 'leaf', ca: false, ...(below && { issuer: below }) });
      const path = (file: string, contents: string): string => {
        writeFileSync(join(temporary.path, file), contents);
        return join(temporary.path, file);
      };
      const [root, ...between] = made;
      const files = [
        ...['-CAfile', path('root.pem', root?.pem ?? '')],
        ...['-untrusted', path('between.pem', `${between.map(({ pem }) => pem).join('')}${root?.pem ?? ''}`)],
        path('leaf.pem', leaf.pem),
      ];
      const verify = (): unknown => execFileSync('openssl', ['verify', ...files], { stdio: 'pipe' });
      if (fault === undefined) verify();
      else assert.throws(verify);
    });
});

describe('ca: name constraints', () => {
  const subject = Buffer.from('3000', 'hex');
  const reason = (value: Buffer, names: readonly Buffer[], of: Uint8Array = subject): string | undefined => {
    const parsed = parseNameConstraints(value);
    assert.ok(parsed);
    return outsideOf(parsed, { subject: of, names: names.flatMap((name) => soleElement(name) ?? []) });
  };
  const ip = (...bytes: number[]): Buffer => element(IP, Buffer.from(bytes));
  const rdn = (text: string): Buffer =>
    element(0x31, sequence(element(6, Buffer.from('55040a', 'hex')), element(0x0c, Buffer.from(text))));
  const ALLOWED: readonly [string, Buffer, readonly Buffer[]][] = [
    ['a URI of exactly the host', constraints([uri('cluster.local')]), [uri('spiffe://cluster.local/ns/a/sa/b')]],
    ['a URI below a host', constraints([uri('.example.org')]), [uri('spiffe://a.example.org/x')]],
    ['a name of another kind', constraints([uri('cluster.local')]), [dns('anything')]],
    ['one of several permitted', constraints([uri('a'), uri('b')]), [uri('spiffe://b')]],
    ['a DNS name below, and itself', constraints([dns('example.org')]), [dns('a.example.org'), dns('EXAMPLE.org')]],
    ['an address within', constraints([ip(10, 0, 0, 0, 255, 0, 0, 0)]), [ip(10, 9, 8, 7)]],
    ['what is not excluded', constraints([], [uri('a')]), [uri('spiffe://b'), uri('spiffe://ab')]],
  ];
  for (const [name, value, names] of ALLOWED) it(`allow ${name}`, () => assert.equal(reason(value, names), undefined));
  const REFUSED: readonly [string, Buffer, readonly Buffer[]][] = [
    [
      'a URI of a host below, where the constraint has no dot',
      constraints([uri('cluster.local')]),
      [uri('spiffe://a.cluster.local/x')],
    ],
    ['the host itself, where the constraint has a dot', constraints([uri('.example.org')]), [uri('spiffe://example.org/x')]],
    ['a host that only ends alike', constraints([uri('.example.org')]), [uri('spiffe://badexample.org')]],
    ['a URI without a host', constraints([uri('a')]), [uri('urn:x')]],
    ['a URI with a user before the host', constraints([uri('a')]), [uri('spiffe://a@b/x'), uri('spiffe://b@a/x')]],
    ['a URI that cannot be read, where one is excluded', constraints([], [uri('a')]), [uri('spiffe:a')]],
    ['one bad name among good ones', constraints([uri('a')]), [uri('spiffe://a'), uri('spiffe://b')]],
    ['a DNS name that only ends alike', constraints([dns('example.org')]), [dns('badexample.org')]],
    ['an address outside', constraints([ip(10, 0, 0, 0, 255, 0, 0, 0)]), [ip(11, 0, 0, 1)]],
    [
      'an address of the other family',
      constraints([ip(10, 0, 0, 0, 255, 0, 0, 0)]),
      [ip(...Array.from({ length: 16 }, () => 0))],
    ],
    ['an address where the network is malformed', constraints([], [ip(10, 0)]), [ip(10, 0, 0, 1)]],
    ['a kind of name that is not understood', constraints([element(0x88, Buffer.of(1))]), [element(0x88, Buffer.of(1))]],
  ];
  for (const [name, value, names] of REFUSED) it(`refuse ${name}`, () => assert.notEqual(reason(value, names), undefined));

  it('bind the subject of a CA where it has one', () => {
    const value = constraints([element(0xa4, sequence(rdn('Example')))]);
    assert.equal(reason(value, []), undefined);
    assert.equal(reason(value, [], sequence(rdn('Example'), rdn('Unit'))), undefined);
    assert.notEqual(reason(value, [], sequence(rdn('Other'))), undefined);
  });

  it('are refused whole when malformed: empty, twice the same list, a minimum, not DER', () => {
    const one = element(0xa0, sequence(uri('a')));
    const wrong = [
      sequence(),
      sequence(one, one),
      sequence(element(0xa0)),
      sequence(element(0xa0, sequence(uri('a'), element(0x80, Buffer.of(1))))),
      sequence(element(0xa2, sequence(uri('a')))),
      Buffer.from('30', 'hex'),
      element(0x31, one),
    ];
    for (const value of wrong) assert.equal(parseNameConstraints(value), undefined, value.toString('hex'));
  });
});

describe('ca: what an upstream signed', () => {
  const verdict = async (levels: readonly Partial<TestAuthorityOptions>[], change: { now?: Date; given?: number } = {}) => {
    const made = await chainOf(...levels);
    const last = made.at(-1);
    assert.ok(last);
    const pem = made.toReversed().map((one) => one.pem);
    const result = acceptIntermediate(pem.slice(0, change.given).join(''), {
      publicKey: x509(last).publicKey,
      trustDomain: TD,
      now: change.now ?? new Date(),
    });
    return result.ok ? 'taken' : result.reason;
  };

  it('is taken when it is for our key and trust domain and leads to the root', async () => {
    assert.equal(await verdict([{}, { uris: [`spiffe://${TD}`] }]), 'taken');
    assert.equal(await verdict([{}, {}, {}]), 'taken');
  });

  const WRONG: Readonly<Record<string, [RegExp, ...Parameters<typeof verdict>]>> = {
    'another trust domain': [/not for cluster\.local/, [{}, { uris: ['spiffe://other.domain'] }]],
    'a SPIFFE ID with a path': [/not for cluster\.local/, [{}, { uris: [`spiffe://${TD}/ns/a/sa/b`] }]],
    'a leaf': [/not those of a CA/, [{}, { ca: false }]],
    'a self-signed one': [/self-signed/, [{}]],
    'a chain without its root': [/does not lead to a root/, [{}, {}, {}], { given: 2 }],
    'a chain that has ended': [/which is not now/, [{}, {}], { now: new Date(Date.now() + 400 * 24 * 3600_000) }],
    'name constraints that exclude the trust domain': [
      /name constraints of the chain/,
      [{}, { extensions: [constrained(constraints([uri('other.domain')]))] }],
    ],
    'a path length that is exceeded': [/path length/, [{ pathLength: 0 }, {}]],
  };
  for (const [name, [reason, ...given]] of Object.entries(WRONG))
    it(`is refused: ${name}`, async () => assert.match(await verdict(...given), reason));

  it('is refused for another key', async () => {
    const [root, below] = await chainOf({}, {});
    assert.ok(root && below);
    const result = acceptIntermediate(`${below.pem}${root.pem}`, {
      publicKey: x509(root).publicKey,
      trustDomain: TD,
      now: new Date(),
    });
    assert.match(result.ok ? '' : result.reason, /another key/);
  });
});
