import { FORMS, type MeshOptions } from './plan.ts';

/** For node:util's parseArgs. */
export const meshFlags = Object.freeze({
  services: { type: 'string', default: '5000' },
  proxies: { type: 'string', default: '200' },
  namespaces: { type: 'string', default: '20' },
  form: { type: 'string', default: 'entries' },
  seed: { type: 'string', default: '7' },
} as const);

export const MESH_HELP = `  --services N      with three endpoints each (5000)
  --proxies N       sidecars (200)
  --namespaces N    over which both are spread (20)
  --form entries    services as ServiceEntries, or: services (Service, Deployment and Pods; the first ones have the proxies)
  --seed N          the same seed, the same mesh (7)
`;

export function wholeNumber(flag: string, text: string, least = 1): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`--${flag}: a whole number from ${String(least)} on, not ${text}`);
  return value;
}

export function parseMeshOptions(values: Readonly<Record<keyof typeof meshFlags, string>>): MeshOptions {
  const form = FORMS.find((known) => known === values.form);
  if (form === undefined) throw new RangeError(`--form: one of ${FORMS.join(', ')}, not ${values.form}`);
  const options: MeshOptions = {
    services: wholeNumber('services', values.services),
    proxies: wholeNumber('proxies', values.proxies),
    namespaces: wholeNumber('namespaces', values.namespaces),
    form,
    seed: wholeNumber('seed', values.seed, 0),
  };
  if (form === 'services' && options.proxies > options.services)
    throw new RangeError('--proxies: no more than --services in the form services, where the first ones have the proxies');
  return options;
}
