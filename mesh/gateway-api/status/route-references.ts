import type { BackendRef, ConnectionRoute, RequestRule, RouteFilter } from '../../model/gateway-api.ts';
import { resolvedBackend, type Refusal } from '../backends.ts';
import { nameOf } from '../listener-references.ts';
import type { Reason } from '../reason.ts';
import type { World } from '../world.ts';
import type { Route } from './attachment.ts';

function wording(world: World, route: Route, ref: BackendRef, refusal: Refusal): string {
  switch (refusal) {
    case 'InvalidKind':
      return `${ref.group === '' ? '' : `${ref.group}/`}${ref.kind} can be no backend`;
    case 'RefNotPermitted':
      return `no ReferenceGrant in ${ref.namespace} lets ${route.kind}s of ${route.meta.namespace} use ${nameOf(ref)}`;
    case 'BackendNotFound': {
      const service = world.service(ref.namespace, ref.name);
      if (service === undefined) return `there is no ${nameOf(ref)}`;
      if (ref.port === undefined) return `${nameOf(ref)} is named without a port`;
      return `${nameOf(ref)} has no port ${ref.port}, but ${service.ports.map(({ port }) => port).join(', ')}`;
    }
    default:
      return refusal satisfies never;
  }
}

interface Named {
  readonly ref: BackendRef;
  readonly field: string;
}

function mirrored(filters: readonly RouteFilter[], field: string): readonly Named[] {
  return filters.flatMap((filter, at) =>
    filter.kind === 'mirror' ? [{ ref: filter.backend, field: `${field}.filters[${at}].requestMirror.backendRef` }] : [],
  );
}

function backendsOf(rule: RequestRule | ConnectionRoute['rules'][number], field: string): readonly Named[] {
  return [
    ...('filters' in rule ? mirrored(rule.filters, field) : []),
    ...rule.backends.flatMap((ref, at) => {
      const own = `${field}.backendRefs[${at}]`;
      return [{ ref, field: own }, ...mirrored(ref.filters, own)];
    }),
  ];
}

/** Backends of a route that lead nowhere. */
export function unresolvedBackends(world: World, route: Route): readonly (Reason & { readonly field: string })[] {
  return route.rules
    .flatMap((rule, at) => backendsOf(rule, `spec.rules[${at}]`))
    .flatMap(({ ref, field }) => {
      const found = resolvedBackend(world, route.kind, route.meta.namespace, ref);
      return typeof found === 'string' ? [{ reason: found, message: wording(world, route, ref, found), field }] : [];
    });
}

/** Rules with filters that are not there: their requests are refused. */
export function unsupportedRules(route: Route): readonly (Reason & { readonly field: string })[] {
  const unavailable = (filters: readonly RouteFilter[]) => filters.some(({ kind }) => kind === 'unavailable');
  return route.rules.flatMap((rule, at) => {
    const filters = 'filters' in rule ? [...rule.filters, ...rule.backends.flatMap((one) => one.filters)] : [];
    if (!unavailable(filters)) return [];
    return [
      {
        reason: 'UnsupportedValue',
        message: `rule ${at} has a filter of a type that is not supported; its requests are answered with 500`,
        field: `spec.rules[${at}]`,
      },
    ];
  });
}
