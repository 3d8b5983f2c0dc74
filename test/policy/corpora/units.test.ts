import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RE2JS } from 're2js';
import type { PolicyMatch } from '../../../mesh/model/authorization-policy.ts';
import type { MeshConfig, PathNormalization } from '../../../mesh/model/mesh-config.ts';
import type { Labels } from '../../../mesh/model/object.ts';
import type { TargetRef } from '../../../mesh/model/target-ref.ts';
import { claimPath } from '../../../policy/compile/claims.ts';
import { namespaces, principals, serviceAccounts } from '../../../policy/compile/identity.ts';
import { type SourceLeaf, type Tree, never } from '../../../policy/compile/test.ts';
import { withAliases } from '../../../policy/compile/trust-domain.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import { isNamespace, isPrincipal, isServiceAccount, isTrustDomain } from '../../../policy/evaluate/peer.ts';
import { valueOf, written } from '../../../policy/evaluate/text.ts';
import { appliesTo, policiesFor } from '../../../policy/select.ts';
import { errorsOf } from '../../mesh/corpus/decide.ts';
import { MESH_CONFIG, policy, snapshot, trustDomain } from '../model.ts';
import { casesOf } from './corpus.ts';
import { compiled as rbacFilters } from './golden/ours.ts';
import { complete, judged } from './judged.ts';
import { pairs } from './unit-pairs.ts';

interface Row<T> {
  readonly id: string;
  readonly table: string;
  readonly row: T;
}

const SCHEME = 'spiffe://';

function table<T>(name: string): readonly Row<T>[] {
  return casesOf<Row<T>>('authz-units').filter((one) => one.table === name);
}

/** The rows that are run in this file. */
const ran = new Set<string>();

/** One test for each row; a skipped one where the corpus is absent. */
function judgedRows<T extends { readonly id: string }>(rows: readonly T[], decide: (row: T) => void): void {
  if (rows.length === 0) {
    it('rows', function () {
      this.skip();
    });
  }
  for (const row of rows) {
    ran.add(row.id);
    judged('authz-units', row.id, () => decide(row));
  }
}

/** What the compiled texts say of a peer; expressions run in the JavaScript port of Envoy's engine. */
function compiled(tree: Tree<SourceLeaf>, id: string): boolean {
  if (tree.op === 'any') return tree.of.some((one) => compiled(one, id));
  if (tree.op !== 'leaf' || tree.leaf.test !== 'peer') return false;
  const { text } = tree.leaf;
  return text.kind === 'regex' ? RE2JS.compile(text.value).matcher(id).matches() : text.kind === 'exact' && text.value === id;
}

describe('policy, corpus: service accounts', () => {
  judgedRows(
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
  judgedRows(
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
  judgedRows(table<Aliases>('TestReplaceTrustDomainAliases'), ({ row }) => {
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

interface PolicySpec {
  readonly action?: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
  readonly selector?: { readonly matchLabels: Labels };
  readonly targetRef?: TargetRef;
  readonly targetRefs?: readonly TargetRef[];
}

function targetsOf({ targetRef, targetRefs = [] }: PolicySpec): readonly TargetRef[] {
  return targetRef === undefined ? targetRefs : [...targetRefs, targetRef];
}

interface Named {
  readonly Name: string;
  readonly Namespace: string;
}

interface Selection {
  readonly selectionOpts: { readonly WorkloadNamespace?: string; readonly WorkloadLabels?: Labels };
  readonly configs?: readonly {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: PolicySpec;
  }[];
  readonly wantAllow?: readonly Named[];
  readonly wantDeny?: readonly Named[];
  readonly wantAudit?: readonly Named[];
  readonly wantCustom?: readonly Named[];
}

describe('policy, corpus: which policies apply', () => {
  judgedRows(table<Selection>('TestAuthorizationPolicies_ListAuthorizationPolicies'), ({ row }) => {
    const mesh = snapshot({
      meshConfig: { ...MESH_CONFIG, rootNamespace: 'istio-config' },
      authorizationPolicies: (row.configs ?? []).map(({ metadata, spec }) =>
        policy(metadata.namespace, metadata.name, {
          action: spec.action ?? 'ALLOW',
          selector: spec.selector?.matchLabels ?? {},
          targetRefs: targetsOf(spec),
        }),
      ),
    });
    const { WorkloadNamespace: namespace = '', WorkloadLabels: labels = {} } = row.selectionOpts;
    const found = policiesFor(mesh, { namespace, labels });
    for (const [action, wanted] of [
      ['ALLOW', row.wantAllow],
      ['DENY', row.wantDeny],
      ['AUDIT', row.wantAudit],
      ['CUSTOM', row.wantCustom],
    ] as const) {
      assert.deepEqual(
        found.filter((one) => one.action === action).map(({ meta }) => `${meta.namespace}/${meta.name}`),
        (wanted ?? []).map((one) => `${one.Namespace}/${one.Name}`),
        action,
      );
    }
  });
});

interface Attachment {
  readonly policy: PolicySpec;
  readonly policyNamespacedName?: Named;
  readonly selection: { readonly WorkloadNamespace: string; readonly WorkloadLabels?: Labels };
  readonly expected?: boolean;
}

describe('policy, corpus: what a policy is attached to', () => {
  judgedRows(table<Attachment>('TestPolicyMatcher'), ({ row }) => {
    const { WorkloadNamespace: namespace, WorkloadLabels: labels = {} } = row.selection;
    const attached = {
      meta: { namespace: row.policyNamespacedName?.Namespace ?? 'default' },
      selector: row.policy.selector?.matchLabels ?? {},
      targetRefs: targetsOf(row.policy),
    };
    assert.equal(appliesTo('istio-system', attached, { namespace, labels }), row.expected ?? false);
  });
});

interface Model {
  readonly rule: object;
  readonly action?: string;
  readonly forTCP?: boolean;
  readonly tdBundle?: { readonly TrustDomains: readonly string[] };
  readonly want?: readonly string[];
  readonly notWant?: readonly string[];
}

/** The text of what is compiled of a rule, without the escapes of expressions. */
function compiledText({ rule, action = 'ALLOW', forTCP = false, tdBundle }: Model): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-model-'));
  const [trustDomain = 'cluster.local', ...trustDomainAliases] = tdBundle?.TrustDomains ?? [];
  try {
    const filters = rbacFilters(
      [
        {
          apiVersion: 'security.istio.io/v1',
          kind: 'AuthorizationPolicy',
          metadata: { name: 'row', namespace: 'foo' },
          spec: { action, rules: [rule] },
        },
      ],
      {
        folder,
        layer: forTCP ? 'tcp' : 'http',
        meshConfig: { trustDomain, trustDomainAliases },
        workload: { namespace: 'foo', labels: {} },
      },
    );
    return JSON.stringify(filters).replaceAll('\\', '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('policy, corpus: what a rule is made of', () => {
  const rows = [...table<Model>('TestModel_Generate'), ...table<Model>('TestModel_MigrateTrustDomain')];
  judgedRows(rows, ({ row }) => {
    const text = compiledText(row);
    // Istio keeps a token's principal in one text; Envoy compares issuer and subject, and so do both.
    const held = (part: string): boolean =>
      text.includes(part) || part.split(/\/(?=[^/]*$)/).every((half) => text.includes(`"${half}"`));
    for (const part of row.want ?? []) assert.ok(held(part), part);
    for (const part of row.notWant ?? []) assert.ok(!held(part), part);
  });
});

/** Whether admission takes a condition. */
function admitted(key: string, value: string): boolean {
  const errors = errorsOf({
    kind: 'AuthorizationPolicy',
    spec: { rules: [{ when: [{ key, values: [value] }] }] },
    valid: true,
  });
  return errors.length === 0;
}

describe('policy, corpus: conditions as they are written', () => {
  judgedRows(table<{ readonly V: string; readonly Expect?: number }>('TestConvertToPort'), ({ row }) => {
    assert.equal(admitted('destination.port', row.V), row.Expect !== undefined);
  });
  judgedRows(table<{ readonly s: string; readonly want?: string }>('TestExtractNameInBrackets'), ({ row }) => {
    assert.equal(admitted(`request.headers${row.s}`, 'x'), row.want !== undefined);
  });
  judgedRows(table<{ readonly s: string; readonly want?: readonly string[] }>('TestExtractNameInNestedBrackets'), ({ row }) => {
    const key = `request.auth.claims${row.s}`;
    assert.equal(admitted(key, 'x'), row.want !== undefined);
    assert.deepEqual(claimPath(row.s), row.want);
  });
  judgedRows(
    table<{ readonly key?: string; readonly value: string; readonly want?: object }>('TestGenerator').filter(
      ({ row }) => row.key?.startsWith('experimental.') === true,
    ),
    ({ row }) => assert.equal(admitted(row.key ?? '', row.value), row.want !== undefined),
  );
});

describe('policy, corpus: trust domains', () => {
  judgedRows(table<{ readonly principal: string; readonly out?: string }>('TestGetTrustDomainFromSpiffeIdentity'), ({ row }) => {
    assert.equal(isTrustDomain({ kind: 'exact', value: row.out ?? '' }, row.principal), row.out !== undefined);
  });
  judgedRows(
    table<{ readonly principal: string; readonly out?: string; readonly trustDomainIn?: string }>(
      'TestReplaceTrustDomainInPrincipal',
    ),
    ({ row }) => {
      // The mesh is called as the row wants it, and was called as the principal says.
      const [before = ''] = row.principal.split('/');
      const meshConfig = { ...MESH_CONFIG, trustDomain: trustDomain(row.trustDomainIn ?? 'td'), trustDomainAliases: [before] };
      assert.equal(isPrincipal(valueOf(row.principal), row.out ?? 'td/ns/foo/sa/bar', meshConfig), row.out !== undefined);
    },
  );
  // What names no trust domain of ours is never given another.
  judgedRows(table<{ readonly principal: string }>('TestIsTrustDomainBeingEnforced'), ({ row }) => {
    const value = valueOf(row.principal);
    assert.deepEqual(withAliases(value, { ...MESH_CONFIG, trustDomainAliases: ['old.mesh'] }), [value]);
  });
  judgedRows(
    table<{ readonly element?: string; readonly list: readonly string[]; readonly expected?: boolean }>('TestStringMatch'),
    ({ row }) => {
      const value = valueOf(row.element ?? '');
      assert.equal(
        row.list.some((one) => isTrustDomain(value, `${one}/ns/foo/sa/bar`)),
        row.expected ?? false,
      );
    },
  );
  judgedRows(
    table<{ readonly prefix: string; readonly v: string; readonly match: string; readonly noMatch: string }>(
      'TestStringMatcherRegex_Match',
    ),
    ({ row }) => {
      const value = valueOf(row.v);
      for (const [id, want] of [
        [row.match, true],
        [row.noMatch, false],
      ] as const) {
        assert.equal(isPrincipal(value, id.slice(SCHEME.length), MESH_CONFIG), want, id);
        assert.equal(compiled(principals([value], MESH_CONFIG), id), want, id);
      }
    },
  );
});

describe('policy, corpus: unit tables', () => {
  complete('authz-units', new Set([...ran, ...pairs().map(({ id }) => id)]));
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
