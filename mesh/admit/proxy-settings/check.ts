import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf } from '../field.ts';
import { integer, oneOf, textMap } from '../scalar.ts';
import { workloadSelector } from '../selector.ts';
import { unapplied } from '../unapplied.ts';

/** Threads of a proxy; 0 is one for each core. */
const MOST_THREADS = 1_024;

/** Checks the spec of a ProxyConfig. What it says is for the injector and the agent, and has no effect on either yet. */
export function checkProxyConfig(spec: Field, context: Context): void {
  const fields = fieldsOf(spec, ['selector', 'concurrency', 'environmentVariables', 'image']);
  const selector = workloadSelector(fields.selector);
  for (const name of Object.keys(selector)) if (name === '') fields.selector.error('bad-selector', 'a label name is empty');
  if (Object.keys(selector).length > 0) refer(context, fields.selector, { kind: 'workloads', selector, everywhere: false });
  integer(fields.concurrency, 0, MOST_THREADS);
  textMap(fields.environmentVariables);
  oneOf(fieldsOf(fields.image, ['imageType']).imageType, ['default', 'debug', 'distroless']);
  unapplied(fields.concurrency, 'concurrency');
  unapplied(fields.environmentVariables, 'environmentVariables');
  unapplied(fields.image, 'image');
}
