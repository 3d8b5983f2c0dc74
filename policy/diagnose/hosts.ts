import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { covers, parseHostname } from '../../mesh/model/hostname.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { listsOf } from './fields.ts';
import { finding, quoted, some } from './finding.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { someOf, type Survey } from './survey.ts';

/** Every name under which callers inside the cluster know a Service. */
function namesOf({ meta, hostname, addresses }: Service): readonly string[] {
  const { name, namespace } = meta;
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, hostname, ...addresses];
}

function matches(value: string, name: string): boolean {
  const host = value.toLowerCase().replace(/:(\d+|\*)$/, '');
  if (host === '*') return true;
  if (host.startsWith('*')) return name.endsWith(host.slice(1));
  if (host.endsWith('*')) return name.startsWith(host.slice(0, -1));
  return name === host;
}

/** Hosts that VirtualServices send on to these Services: a gateway leaves the Host as the client wrote it. */
function routedHosts(survey: Survey): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { hosts, http } of survey.snapshot.virtualServices) {
    for (const { action, rewrite } of http) {
      if (action.kind !== 'route') continue;
      for (const { destination } of action.destinations) {
        const names = found.get(destination.host) ?? [];
        names.push(...hosts, ...(rewrite?.authority === undefined ? [] : [rewrite.authority.toLowerCase()]));
        found.set(destination.host, names);
      }
    }
  }
  return found;
}

interface Known {
  readonly names: ReadonlySet<string>;
  /** Of these, those that come through VirtualServices. */
  readonly through: ReadonlySet<string>;
}

/** Hosts in policies under which nobody calls the workloads, as far as the input tells. */
export function unknownHosts(survey: Survey): readonly Diagnostic[] {
  let routed: ReadonlyMap<string, readonly string[]> | undefined;
  const namesAt = remembered((targets: readonly Workload[]): Known | undefined => {
    if (targets.some((one) => survey.isGateway(one))) return undefined;
    const services = [...new Set(targets.flatMap((one) => survey.servicesOf(one)))];
    if (services.length === 0) return undefined;
    routed ??= routedHosts(survey);
    const through = new Set(services.flatMap(({ hostname }) => routed?.get(hostname) ?? []));
    return { names: new Set([...services.flatMap(namesOf), ...through]), through };
  });
  return survey.policies.flatMap((policy) => {
    const lists = listsOf(policy).filter(({ attribute, negated }) => attribute === 'hosts' && !negated);
    const targets = lists.length === 0 ? [] : survey.targets(policy);
    const known = targets.length === 0 ? undefined : namesAt(targets);
    if (known === undefined) return [];
    const { names, through } = known;
    const isKnown = (value: string): boolean => {
      const host = parseHostname(value.replace(/:(\d+|\*)$/, ''));
      return (
        [...names].some((name) => matches(value, name)) ||
        (host !== undefined && [...through].some((name) => covers(parseHostname(name) ?? host, host)))
      );
    };
    return lists.flatMap((list) =>
      list.values.flatMap((value, at) =>
        value === '' || isKnown(value)
          ? []
          : [
              finding(
                policy.meta,
                `${list.path}[${at}]`,
                'info',
                'unknown-host',
                `${quoted(value)} is no name of ${someOf(targets)} in this mesh: only clients that send it as Host match`,
                `names there are ${some([...names], 5)}`,
              ),
            ],
      ),
    );
  });
}
