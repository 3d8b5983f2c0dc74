import type { Labels } from '../model/object.ts';
import { type Context, refer } from './context.ts';
import { type Field, entriesOf, fieldsOf } from './field.ts';
import { text } from './scalar.ts';

/** Istio's WorkloadSelector (`matchLabels`) or the networking kinds' `labels`; empty when absent. */
export function labelSelector(field: Field): Labels {
  const labels: Record<string, string> = {};
  for (const [name, value] of entriesOf(field)) {
    const written = text(value);
    if (name === '') value.error('bad-selector', 'a label name is empty', 'name the label');
    if (name.includes('*') || written.includes('*'))
      value.error('bad-selector', 'a wildcard is not supported in a selector', 'give the whole label and its whole value');
    labels[name] = written;
  }
  return labels;
}

/** What Kubernetes takes as a label's name and value (Istio's labels.Validate): others are on no pod. */
const PREFIX = String.raw`[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*`;
const WORD = String.raw`[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?`;
const NAME = new RegExp(`^(${PREFIX}/)?${WORD}$`);
const VALUE = new RegExp(`^(${WORD})?$`);

/** Labels of which every one can be on a pod. */
export function podLabels(field: Field): Labels {
  const labels = labelSelector(field);
  for (const [name, value] of entriesOf(field)) {
    if (name !== '' && !NAME.test(name) && !name.includes('*'))
      value.error('bad-selector', 'is no name of a label', 'as app or example.com/app: letters, digits, "-", "_" and "."');
    const written = labels[name] ?? '';
    if (!VALUE.test(written) && !written.includes('*'))
      value.error('bad-selector', 'is no value of a label', 'letters, digits, "-", "_" and ".", at most 63');
  }
  return labels;
}

/** `selector: {matchLabels: {...}}` of the security kinds. */
export function workloadSelector(field: Field): Labels {
  return labelSelector(fieldsOf(field, ['matchLabels']).matchLabels);
}

/** `workloadSelector: {labels: {...}}` of the networking kinds. */
export function workloadLabels(field: Field): Labels {
  return labelSelector(fieldsOf(field, ['labels']).labels);
}

/** The selector of an object about the workloads of its namespace (of the mesh, in the root namespace); one that selects nothing is told. */
export function selectedWorkloads(field: Field, context: Context): Labels {
  const selector = workloadSelector(field);
  if (Object.keys(selector).length > 0)
    refer(context, field, {
      kind: 'workloads',
      selector,
      everywhere: context.meta.namespace === context.meshConfig.rootNamespace,
    });
  return selector;
}
