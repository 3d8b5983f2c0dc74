import { type Context, refer } from '../context.ts';
import type { ProxySettings } from '../../model/proxy-settings.ts';
import { entriesOf, type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { integer, oneOf, text } from '../scalar.ts';
import { workloadSelector } from '../selector.ts';
import { unapplied } from '../unapplied.ts';

/** Threads of a proxy; 0 is one for each core. */
const MOST_THREADS = 1_024;

/** What the loader and Envoy itself read: whoever sets it decides what runs. */
const NOT_SET = /^(LD_|GATEHOUSE_|PATH$)/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reads the spec of a ProxyConfig, which is for whoever starts the proxy. */
export function readProxySettings(spec: Field, context: Context): ProxySettings {
  const fields = fieldsOf(spec, ['selector', 'concurrency', 'environmentVariables', 'image']);
  const selector = workloadSelector(fields.selector);
  for (const name of Object.keys(selector)) if (name === '') fields.selector.error('bad-selector', 'a label name is empty');
  if (Object.keys(selector).length > 0) refer(context, fields.selector, { kind: 'workloads', selector, everywhere: false });
  const environment: Record<string, string> = {};
  for (const [name, value] of entriesOf(fields.environmentVariables)) {
    const written = text(value);
    if (!VARIABLE.test(name)) value.warning('bad-name', `"${shorten(name)}" is no name of a variable; it is left out`);
    else if (NOT_SET.test(name)) value.warning('not-supported', `${name} is not set for proxies`, 'remove it');
    else if (written.includes('\0')) value.error('bad-text', 'holds a NUL');
    else environment[name] = written;
  }
  oneOf(fieldsOf(fields.image, ['imageType']).imageType, ['default', 'debug', 'distroless']);
  unapplied(fields.image, 'image');
  return { meta: context.meta, selector, concurrency: integer(fields.concurrency, 0, MOST_THREADS), environment };
}
