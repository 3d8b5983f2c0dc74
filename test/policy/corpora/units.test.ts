import assert from 'node:assert/strict';
import { RE2JS } from 're2js';
import type { PolicyMatch } from '../../../mesh/model/authorization-policy.ts';
import type { MeshConfig, PathNormalization } from '../../../mesh/model/mesh-config.ts';
import type { Labels } from '../../../mesh/model/object.ts';
import { namespaces, principals, serviceAccounts } from '../../../policy/compile/identity.ts';
import { type SourceLeaf, type Tree, never } from '../../../policy/compile/test.ts';
import { withAliases } from '../../../policy/compile/trust-domain.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import { isNamespace, isPrincipal, isServiceAccount } from '../../../policy/evaluate/peer.ts';
import { valueOf, written } from '../../../policy/evaluate/text.ts';
import { policiesFor } from '../../../policy/select.ts';
import { MESH_CONFIG, policy, snapshot, trustDomain } from '../model.ts';
import { casesOf } from './corpus.ts';

interface Row<T> {
  readonly id: string;
  readonly table: string;
  readonly row: T;
}

const SCHEME = 'spiffe://';

function table<T>(name: string): readonly Row<T>[] {
  return casesOf<Row<T>>('authz-units').filter((one) => one.table === name);
}

/** One test for each row; a skipped one where the corpus is absent. */
function eachOf<T extends { readonly id: string }>(rows: readonly T[], decide: (row: T) => void): void {
  if (rows.length === 0) {
    it('rows', function () {
      this.skip();
    });
  }
  for (const row of rows) it(row.id, () => decide(row));
}

/** What the compiled texts say of a peer; expressions run in the JavaScript port of Envoy's engine. */
function compiled(tree: Tree<SourceLeaf>, id: string): boolean {
  if (tree.op === 'any') return tree.of.some((one) => compiled(one, id));
  if (tree.op !== 'leaf' || tree.leaf.test !== 'peer') return false;
  const { text } = tree.leaf;
  return text.kind === 'regex' ? RE2JS.compile(text.value).matcher(id).matches() : text.kind === 'exact' && text.value === id;
}

describe('policy, corpus: service accounts', () => {
  eachOf(
    table<{ readonly Identity: string; readonly Input: string; readonly Match?: boolean }>('TestServiceAccount'),
    ({ row }) => {
      const value: PolicyMatch = { kind: 'exact', value: row.Input };
      const want = row.Match ?? false;
      assert.equal(isServiceAccount(value, row.Identity.slice(SCHEME.length), ''), want);
      assert.equal(compiled(serviceAccounts([value], '', never()), row.Identity), want);
    },
  );
});

describe('policy, corpus: namespaces', () => {
  eachOf(
    table<{ readonly v: string; readonly match: string; readonly noMatch: string }>('TestNamespaceMatcherRegex_Match'),
    ({ row }) => {
      const value = valueOf(row.v);
      for (const [id, want] of [
        [row.match, true],
        [row.noMatch, false],
      ] as const) {
        assert.equal(isNamespace(value, id.slice(SCHEME.length)), want, id);
        assert.equal(compiled(namespaces([value]), id), want, id);
      }
    },
  );
});

interface Aliases {
  readonly trustDomainBundle: { readonly TrustDomains: readonly [string, ...string[]] };
  readonly principals: readonly string[];
  readonly expect: readonly string[];
}

describe('policy, corpus: trust domain aliases', () => {
  eachOf(table<Aliases>('TestReplaceTrustDomainAliases'), ({ row }) => {
    const [own, ...aliases] = row.trustDomainBundle.TrustDomains;
    const meshConfig: MeshConfig = { ...MESH_CONFIG, trustDomain: trustDomain(own), trustDomainAliases: aliases };
    const values = row.principals.map(valueOf);
    const expanded = values.flatMap((value) => withAliases(value, meshConfig)).map(written);
    assert.deepEqual([...new Set(expanded)].sort(), [...row.expect].sort());
    for (const id of row.expect.filter((one) => !one.includes('*'))) {
      assert.ok(
        values.some((value) => isPrincipal(value, id, meshConfig)),
        id,
      );
      assert.ok(compiled(principals(values, meshConfig), `${SCHEME}${id}`), id);
    }
    assert.ok(row.expect.includes('*') || !values.some((value) => isPrincipal(value, 'nowhere/ns/foo/sa/none', meshConfig)));
  });
});

interface Selection {
  readonly selectionOpts: { readonly WorkloadNamespace?: string; readonly WorkloadLabels?: Labels };
  readonly configs?: readonly {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: {
      readonly action?: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
      readonly selector?: { readonly matchLabels: Labels };
      readonly targetRef?: object;
      readonly targetRefs?: object;
    };
  }[];
  readonly wantAllow?: readonly { readonly Name: string; readonly Namespace: string }[];
  readonly wantDeny?: readonly { readonly Name: string; readonly Namespace: string }[];
}

describe('policy, corpus: which policies apply', () => {
  const rows = table<Selection>('TestAuthorizationPolicies_ListAuthorizationPolicies').filter(
    ({ row }) => !(row.configs ?? []).some(({ spec }) => spec.targetRef !== undefined || spec.targetRefs !== undefined),
  );
  eachOf(rows, ({ row }) => {
    const mesh = snapshot({
      meshConfig: { ...MESH_CONFIG, rootNamespace: 'istio-config' },
      authorizationPolicies: (row.configs ?? []).map(({ metadata, spec }) =>
        policy(metadata.namespace, metadata.name, { action: spec.action ?? 'ALLOW', selector: spec.selector?.matchLabels ?? {} }),
      ),
    });
    const { WorkloadNamespace: namespace = '', WorkloadLabels: labels = {} } = row.selectionOpts;
    const found = policiesFor(mesh, { namespace, labels });
    const named = (action: string): readonly string[] =>
      found.filter((one) => one.action === action).map(({ meta }) => `${meta.namespace}/${meta.name}`);
    const wanted = (list: Selection['wantAllow']): readonly string[] => (list ?? []).map((one) => `${one.Namespace}/${one.Name}`);
    assert.deepEqual([named('ALLOW'), named('DENY')], [wanted(row.wantAllow), wanted(row.wantDeny)]);
  });
});

interface Normalization {
  readonly id: string;
  readonly mode: PathNormalization;
  readonly rawPath: string;
  readonly wantPath?: string;
}

describe('policy, corpus: path normalization', () => {
  it('as the proxy does it', function () {
    const rows = casesOf<Normalization>('path-normalization').filter(({ wantPath }) => wantPath !== undefined);
    if (rows.length === 0) this.skip();
    const wrong = rows.filter(({ mode, rawPath, wantPath }) => normalizedPath(rawPath, mode) !== wantPath);
    assert.deepEqual(wrong, []);
  });
});
