import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { parseJsonWebKeys } from '../../../mesh/model/json-web-keys.ts';
import { keySet } from '../../../policy/request-authentication/key-set.ts';

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let [square, rest] = [base % P, exponent]; rest > 0n; rest >>= 1n, square = (square * square) % P)
    if ((rest & 1n) === 1n) result = (result * square) % P;
  return result;
}

function encoded(number: bigint): string {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex').toString('base64url');
}

/** The point that a sentence leads to, so that nobody can have chosen it for its private part. */
function pointOf(sentence: string): { readonly x: string; readonly y: string } {
  for (let digest = createHash('sha256').update(sentence).digest(); ; digest = createHash('sha256').update(digest).digest()) {
    const x = BigInt(`0x${digest.toString('hex')}`) % P;
    const square = (((x * x * x - 3n * x + B) % P) + P) % P;
    const root = power(square, (P + 1n) / 4n);
    if ((root * root) % P === square) return { x: encoded(x), y: encoded(root % 2n === 0n ? root : P - root) };
  }
}

describe('key sets as Envoy gets them', () => {
  it('without keys hold one that nobody can sign with', () => {
    const { keys } = JSON.parse(keySet(undefined)) as { keys: { crv: string; kty: string; x: string; y: string }[] };
    const [only, ...others] = keys;
    assert.ok(only !== undefined && others.length === 0);
    const { x, y } = pointOf('Gatehouse: no one has the private part of this key');
    assert.deepEqual({ x: only.x, y: only.y }, { x, y });
    createPublicKey({ format: 'jwk', key: { kty: only.kty, crv: only.crv, x: only.x, y: only.y } });
    const empty = parseJsonWebKeys('{"keys":[]}');
    assert.ok(empty.ok);
    assert.equal(keySet(empty.value.keys), keySet(undefined));
  });

  it('hold it beside the keys that there are', () => {
    const read = parseJsonWebKeys('{"keys":[{"kty":"RSA","n":"abc","e":"AQAB"},{"kty":"EC","x":"a"}]}');
    assert.ok(read.ok);
    const { keys } = JSON.parse(keySet(read.value.keys)) as { keys: { kty: string }[] };
    assert.deepEqual(
      keys.map(({ kty }) => kty),
      ['RSA', 'EC', 'EC'],
    );
  });

  it('hold nothing private', () => {
    const read = parseJsonWebKeys('{"keys":[{"kty":"RSA","n":"abc","e":"AQAB","d":"secret","p":"secret","oth":["secret"]}]}');
    assert.ok(read.ok);
    assert.equal(read.value.secrets, 1);
    assert.ok(!keySet(read.value.keys).includes('secret'));
  });

  it('are not made of what is no key set', () => {
    for (const text of [
      '',
      'no',
      '[]',
      '{}',
      '{"keys":{}}',
      '{"keys":[1]}',
      '{"keys":[null]}',
      `{"keys":["${'x'.repeat(2 ** 20)}"]}`,
    ])
      assert.equal(parseJsonWebKeys(text).ok, false, text.slice(0, 40));
    const many = JSON.stringify({
      keys: Array.from({ length: 501 }, (_, at) => ({ kty: 'RSA', kid: String(at), n: 'abc', e: 'AQAB' })),
    });
    assert.equal(parseJsonWebKeys(many).ok, false);
  });
});
