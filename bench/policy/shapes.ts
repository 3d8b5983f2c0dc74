// The policies that the figures are about, and how other encodings of them look.
import { toJson } from '@bufbuild/protobuf';
import { FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { HttpFilterSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { httpAuthorization } from '../../policy/compile/authorization.ts';
import { tcpAuthorization } from '../../policy/compile/tcp-authorization.ts';
import { valueOf } from '../../policy/evaluate/text.ts';
import { EXTENSIONS } from '../../routing/wire/registry.ts';
import { given, operation, policy, rule, snapshot, source } from '../../test/policy/model.ts';

const WORKLOAD = { namespace: 'shop', labels: {} };

/** As accounts of a large mesh are called. */
export function account(index: number): string {
  return `cluster.local/ns/team-${index % 97}-${(index * 7919) % 1009}/sa/service-${index}`;
}

const read = operation({
  methods: given(['GET', 'POST'].map(valueOf)),
  paths: given(['/api/v1/items', '/api/v2/*'].map(valueOf)),
});

const number = (index: number): string => String(index).padStart(5, '0');

/** One policy, so many principals. */
export function onePolicy(principals: number): readonly AuthorizationPolicy[] {
  const from = [source({ principals: given(Array.from({ length: principals }, (_, index) => valueOf(account(index)))) })];
  return [policy('shop', 'callers', { rules: [rule({ from, to: [read] })] })];
}

/** So many policies about the same paths, each for one principal. */
export function sharedPaths(policies: number): readonly AuthorizationPolicy[] {
  return Array.from({ length: policies }, (_, index) =>
    policy('shop', `p${number(index)}`, {
      rules: [rule({ from: [source({ principals: given([valueOf(account(index))]) })], to: [read] })],
    }),
  );
}

/** So many policies, each about paths of its own and for one principal. */
export function ownPaths(policies: number): readonly AuthorizationPolicy[] {
  return Array.from({ length: policies }, (_, index) => {
    const paths = given([`/service-${index}/items`, `/service-${index}/v2/*`].map(valueOf));
    const to = [operation({ methods: given([valueOf('GET')]), paths })];
    return policy('shop', `p${number(index)}`, {
      rules: [rule({ from: [source({ principals: given([valueOf(account(index))]) })], to })],
    });
  });
}

/** So many principals on TCP. */
export function tcpCallers(principals: number): readonly AuthorizationPolicy[] {
  const from = [source({ principals: given(Array.from({ length: principals }, (_, index) => valueOf(account(index)))) })];
  return [policy('shop', 'callers', { rules: [rule({ from })] })];
}

export function asDenial(policies: readonly AuthorizationPolicy[]): readonly AuthorizationPolicy[] {
  return policies.map((one) => ({ ...one, action: 'DENY' as const }));
}

export function httpFilters(authorizationPolicies: readonly AuthorizationPolicy[]): readonly object[] {
  const filters = httpAuthorization(snapshot({ authorizationPolicies }), WORKLOAD);
  return filters.map((filter) => toJson(HttpFilterSchema, filter, { registry: EXTENSIONS }) as object);
}

export function tcpFilters(authorizationPolicies: readonly AuthorizationPolicy[]): readonly object[] {
  const filters = tcpAuthorization(snapshot({ authorizationPolicies }), WORKLOAD);
  return filters.map((filter) => toJson(FilterSchema, filter, { registry: EXTENSIONS }) as object);
}

/** The same filters with a counter for each rule. */
export function counted(filters: readonly object[]): readonly object[] {
  return filters.map((filter) => {
    const { typedConfig } = filter as { readonly typedConfig: object };
    const type = '@type' in typedConfig ? String(typedConfig['@type']) : '';
    return type.endsWith('http.rbac.v3.RBAC') ? { ...filter, typedConfig: { ...typedConfig, trackPerRuleStats: true } } : filter;
  });
}

const TYPE = 'type.googleapis.com/envoy.extensions.filters';

/** As Istio writes it: one `authenticated` for each principal, one policy for each rule. */
function istioRules(callers: readonly (readonly string[])[], operations: object): object {
  return {
    action: 'ALLOW',
    policies: Object.fromEntries(
      callers.map((names, index) => [
        `ns[shop]-policy[p${number(index)}]-rule[0]`,
        {
          permissions: [operations],
          principals: [
            {
              and_ids: {
                ids: [
                  {
                    or_ids: {
                      ids: names.map((name) => ({ authenticated: { principal_name: { exact: `spiffe://${name}` } } })),
                    },
                  },
                ],
              },
            },
          ],
        },
      ]),
    ),
  };
}

const ISTIO_READ = {
  and_rules: {
    rules: [
      { or_rules: { rules: ['GET', 'POST'].map((exact) => ({ header: { name: ':method', string_match: { exact } } })) } },
      {
        or_rules: {
          rules: [{ url_path: { path: { exact: '/api/v1/items' } } }, { url_path: { path: { prefix: '/api/v2/' } } }],
        },
      },
    ],
  },
};

export function istioHttp(callers: readonly (readonly string[])[]): readonly object[] {
  const rules = istioRules(callers, ISTIO_READ);
  return [{ name: 'envoy.filters.http.rbac', typed_config: { '@type': `${TYPE}.http.rbac.v3.RBAC`, rules } }];
}

export function istioTcp(callers: readonly (readonly string[])[]): readonly object[] {
  const rules = istioRules(callers, { any: true });
  return [
    { name: 'envoy.filters.network.rbac', typed_config: { '@type': `${TYPE}.network.rbac.v3.RBAC`, stat_prefix: 'tcp.', rules } },
  ];
}
