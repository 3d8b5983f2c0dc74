import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Joined } from '../../../xds/joined.ts';
import type { EncodedResource, Resources } from '../../../xds/resource-set.ts';
import { allOf, inParts } from '../../../xds/subscription/due.ts';

const LIMIT = 8 * 1024;

function resource(name: string, size = 200): EncodedResource {
  const any = Buffer.alloc(size, name);
  return { name, any, version: createHash('sha256').update(name).digest('hex').slice(0, 32) };
}

const many = Array.from({ length: 2000 }, (_, at) => resource(`r-${String(at)}`));
const mapOf = (list: readonly EncodedResource[]): Resources => new Map(list.map((one) => [one.name, one]));
const size = (part: readonly EncodedResource[]): number => part.reduce((sum, { any }) => sum + any.byteLength, 0);

describe('parts of what is sent', () => {
  it('are all of it, in order, and none larger than allowed unless it is one resource', () => {
    const list = [...many.slice(0, 500), resource('large', LIMIT * 2), ...many.slice(500)];
    const parts = inParts(list, LIMIT);
    assert.deepEqual(parts.flat(), list);
    for (const part of parts) assert.ok(part.length === 1 || size(part) <= LIMIT, String(size(part)));
    assert.ok(parts.length < (size(list) / LIMIT) * 3, String(parts.length));
  });

  it('are the same arrays for lists that differ in a few places, but for those', () => {
    const before = inParts([...many], LIMIT);
    const other = inParts(many.with(700, resource('another')), LIMIT);
    const known = new Set(before);
    const fresh = other.filter((part) => !known.has(part));
    assert.ok(fresh.length > 0 && fresh.length <= 6, String(fresh.length));
  });

  it('of what a proxy shares and of its own are apart, so that the shared ones are the same for each', () => {
    const shared = mapOf(many);
    const [one, other] = ['one', 'other'].map((name) => inParts(allOf(new Joined(shared, mapOf([resource(name)]))), LIMIT));
    assert.ok(one !== undefined && other !== undefined);
    assert.deepEqual(
      one.map((part, at) => part === other[at]),
      one.map((_, at) => at < one.length - 1),
    );
    assert.deepEqual(
      one.at(-1)?.map(({ name }) => name),
      ['one'],
    );
  });

  it('are the same parts for a part', () => {
    for (const part of inParts([...many], LIMIT)) assert.deepEqual(inParts(part, LIMIT), [part]);
  });
});
