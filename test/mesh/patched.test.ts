import assert from 'node:assert/strict';
import { virtualAddresses } from '../../mesh/model/virtual-address.ts';
import { AddressBook } from '../../mesh/admit/store/address-book.ts';
import { LiveMesh } from '../../mesh/source/live-mesh.ts';
import { resplit, sectionsOf } from '../../mesh/source/split.ts';
import { TestFolder } from './folder.ts';
import { Dice } from './incremental/objects.ts';

const SEED = Number(process.env['SEED'] ?? 7);

describe('what is worked out from a change', () => {
  it(`virtual addresses are those of the whole set of names (SEED=${SEED})`, () => {
    const dice = new Dice(SEED);
    const book = new AddressBook();
    const names = new Set<string>();
    const known = new Map<string, string | undefined>();
    for (let step = 0; step < 12; step++) {
      const come = Array.from({ length: dice.below(2500) }, () => `svc-${String(dice.below(90_000))}`).filter(
        (one) => !names.has(one),
      );
      const gone = [...names].filter(() => dice.chance(1));
      for (const one of come) names.add(one);
      for (const one of gone) names.delete(one);
      // One name of several Services counts once.
      const changed = book.change(gone, [...new Set(come)]);
      const all = virtualAddresses(names);
      for (const name of new Set([...names, ...known.keys()])) {
        assert.equal(book.get(name), all.get(name), `${name} at step ${step}, SEED=${SEED}`);
        assert.equal(changed.has(name), known.get(name) !== all.get(name), `${name} told at step ${step}, SEED=${SEED}`);
        known.set(name, all.get(name));
      }
    }
    assert.ok(names.size > 10_000);
  });

  it(`a text that changed is split as if it were new (SEED=${SEED})`, () => {
    const dice = new Dice(SEED);
    const bits = ['---\n', '---', '--- x\n', '\n', 'a: 1\n', 'b:\n', '-', ' ', '%YAML 1.2\n', '\r', 'apiVersion: v1\n', '\r\n'];
    const text = (): string => Array.from({ length: dice.below(12) }, () => dice.one(bits)).join('');
    for (let step = 0; step < 20_000; step++) {
      const before = text();
      const at = dice.below(before.length + 1);
      const after = `${before.slice(0, at)}${dice.chance(50) ? dice.one(bits) : ''}${before.slice(at + dice.below(4))}`;
      const old = sectionsOf(before);
      const { head, tail, middle } = resplit(
        before,
        old.map((one) => one.text.length),
        after,
      );
      const found = [...old.slice(0, head), ...middle, ...old.slice(old.length - tail)];
      assert.deepEqual(found, sectionsOf(after), JSON.stringify({ before, after, SEED }));
    }
  });

  it('endpoints of slices are elsewhere as soon as the machines are', () => {
    const folder = new TestFolder();
    try {
      folder.write(
        'mesh/service.yaml',
        `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.1.0.1], zone: z1}]
`,
      );
      const live = new LiveMesh({ paths: [folder.at('mesh')] });
      const region = (): string | undefined => live.snapshot?.services[0]?.sliced?.[0]?.locality?.region;
      live.scan(Date.now() + 60_000, 0);
      assert.equal(region(), '');
      const node = folder.write(
        'mesh/node.yaml',
        'apiVersion: v1\nkind: Node\nmetadata: {name: n, labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z1}}\n',
      );
      live.scan(Date.now() + 60_000, 0, { entries: new Set([node]) });
      assert.equal(region(), 'r');
    } finally {
      folder.dispose();
    }
  });
});
