import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { isText, valueOf } from '../../../policy/evaluate/text.ts';
import { mtlsMode, mtlsSetting } from '../../../policy/peer-authentication/mode.ts';
import { MESH_CONFIG, peerAuthentication, port, request, snapshot } from '../model.ts';
import { casesOf, corpusPath } from './corpus.ts';

interface Connections {
  readonly id: string;
  readonly policy?: { readonly metadata: { readonly namespace: string } };
  readonly connections?: readonly {
    readonly identity: string | null;
    readonly src: string;
    readonly dst: string;
    readonly matches: boolean;
  }[];
  readonly pattern?: object;
}

interface Mode {
  readonly mtls?: { readonly mode?: 'STRICT' | 'PERMISSIVE' | 'DISABLE' };
  readonly mode?: 'STRICT' | 'PERMISSIVE' | 'DISABLE';
}

interface Composition {
  readonly id: string;
  readonly table: string;
  readonly row: {
    readonly configs?: readonly {
      readonly metadata: { readonly name: string; readonly namespace: string; readonly creationTimestamp?: string };
      readonly spec: Mode & {
        readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
        readonly portLevelMtls?: Readonly<Record<string, Mode>>;
      };
    }[];
    readonly want: { readonly Mode: string; readonly PerPort?: Readonly<Record<string, string>> };
  };
}

function splitAddress(text: string): readonly [string, number] {
  const [address = '', number = ''] = text.split(':');
  return [address, Number(number)];
}

describe('policy, corpus: TCP connections', () => {
  const path = corpusPath('ztunnel-rbac');
  if (path === undefined) {
    it('that policies match', function () {
      this.skip();
    });
    return;
  }
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-connections-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const { id, policy, connections } of casesOf<Connections>('ztunnel-rbac')) {
    if (policy === undefined || connections === undefined) continue;
    it(id, () => {
      const file = join(folder, 'policy.yaml');
      writeFileSync(
        file, // Upstream names have underscores, which Kubernetes refuses.
        stringify({ ...policy, metadata: { ...policy.metadata, name: 'policy' } }),
      );
      const { snapshot: mesh, diagnostics } = loadMesh({ paths: [file] });
      assert.equal(mesh.authorizationPolicies.length, 1, JSON.stringify(diagnostics));
      for (const { identity, src, dst, matches } of connections) {
        const [to, number] = splitAddress(dst);
        const verdict = evaluate(
          mesh,
          request({
            source: { principal: identity ?? undefined, ip: splitAddress(src)[0] },
            destination: { namespace: policy.metadata.namespace, ip: to, port: port(number), protocol: 'TCP' },
          }),
        );
        assert.equal(verdict.decision, matches ? 'ALLOW' : 'DENY', JSON.stringify({ identity, src, dst, verdict }));
      }
    });
  }
});

describe('policy, corpus: mutual TLS modes', () => {
  const rows = casesOf<Composition>('authn-units').filter(({ table }) => table === 'TestComposePeerAuthentication');
  if (rows.length === 0) {
    it('composed', function () {
      this.skip();
    });
  }
  for (const { id, row } of rows) {
    it(id, () => {
      const mesh = snapshot({
        meshConfig: { ...MESH_CONFIG, rootNamespace: 'root-namespace' },
        peerAuthentications: (row.configs ?? []).map(({ metadata, spec }) => {
          const written = peerAuthentication(metadata.namespace, metadata.name, {
            selector: spec.selector?.matchLabels ?? {},
            mode: spec.mtls?.mode ?? 'UNSET',
            portLevel: new Map(
              Object.entries(spec.portLevelMtls ?? {}).map(
                ([number, { mode }]) => [port(Number(number)), mode ?? 'UNSET'] as const,
              ),
            ),
          });
          const at = metadata.creationTimestamp;
          return { ...written, meta: { ...written.meta, createdAt: at === undefined ? undefined : Date.parse(at) } };
        }),
      });
      const workload = { namespace: 'my-ns', labels: { app: 'foo' } };
      assert.equal(mtlsMode(mesh, workload, port(12345)), row.want.Mode);
      for (const [number, mode] of Object.entries(row.want.PerPort ?? {})) {
        assert.equal(mtlsSetting(mesh, workload, port(Number(number))).mode, mode, number);
      }
    });
  }
});

interface Pattern {
  readonly pattern?: string;
  readonly value?: string;
  readonly matches?: boolean;
}

describe('policy, corpus: texts', () => {
  it('match as patterns say', function () {
    const rows = casesOf<Pattern>('ztunnel-rbac').filter(({ pattern }) => pattern !== undefined);
    if (rows.length === 0) this.skip();
    for (const { pattern = '', value = '', matches } of rows)
      assert.equal(isText(valueOf(pattern), value), matches, `${pattern} ${value}`);
  });
});
