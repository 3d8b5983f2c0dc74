import type { DestinationRule, Subset } from '../../model/destination-rule.ts';
import { parseHostname } from '../../model/hostname.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { hostname, visibility } from '../hosts.ts';
import { podLabels, workloadSelector } from '../selector.ts';
import { requiredText } from '../scalar.ts';
import { oldForm } from '../unapplied.ts';
import { trafficPolicy } from './traffic-policy.ts';

const SUBSET = /^[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,251}[a-zA-Z0-9])?$/;

/** Reads a DestinationRule's spec; `name` is what v1alpha3 once called `host`. */
export function readDestinationRule(spec: Field, context: Context): DestinationRule {
  const fields = fieldsOf(spec, ['host', 'name', 'trafficPolicy', 'subsets', 'exportTo', 'workloadSelector']);
  oldForm(fields.name, 'spec.host');
  if (fields.name.given && fields.host.given) fields.name.error('contradiction', 'name and host are both given', 'keep host');
  const host = hostname(fields.name.given && !fields.host.given ? fields.name : fields.host, context);
  if (host !== undefined) refer(context, fields.host.given ? fields.host : fields.name, { kind: 'rule-host', host });
  const selected = workloadSelector(fields.workloadSelector);
  const names = new Set<string>();
  const subsets: Subset[] = [];
  for (const item of itemsOf(fields.subsets)) {
    const subset = fieldsOf(item, ['name', 'labels', 'trafficPolicy']);
    const name = requiredText(subset.name, 'as name: v1');
    if (name !== '' && !SUBSET.test(name))
      subset.name.error('bad-name', 'is no subset name', 'letters, digits, "-", "_" and "."');
    if (names.has(name) && name !== '')
      subset.name.error('duplicate', `the subset ${name} is given twice`, 'rename or remove one');
    names.add(name);
    const labels = podLabels(subset.labels);
    if (host !== undefined) refer(context, subset.name, { kind: 'subset-labels', host, subset: name, labels });
    subsets.push({ name, labels, trafficPolicy: trafficPolicy(subset.trafficPolicy) });
  }
  const policy = trafficPolicy(fields.trafficPolicy);
  const exportTo = visibility(fields.exportTo, context);
  const own = exportTo.kind === 'namespaces' && exportTo.namespaces.every((namespace) => namespace === context.meta.namespace);
  if (fields.workloadSelector.given && fields.exportTo.given && !own)
    fields.exportTo.error(
      'contradiction',
      'a rule with a workloadSelector is seen in its own namespace only',
      'write exportTo: ["."], or remove it',
    );
  return {
    meta: context.meta,
    host: host ?? NOWHERE,
    exportTo,
    trafficPolicy: policy,
    subsets,
    workloadSelector: fields.workloadSelector.given ? selected : undefined,
  };
}

/** Stands for a host that could not be read; the object that holds it is never admitted. */
const NOWHERE = parseHostname('*') ?? unreachable();

function unreachable(): never {
  throw new Error('* is a host name');
}
