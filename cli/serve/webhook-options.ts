import type { Command } from 'commander';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { type ListenAddress, parseListenAddress } from '../options/address.ts';

export interface WebhookFlags {
  readonly webhookAddress?: string;
  readonly revision: string;
  readonly proxyImage?: string;
  readonly injectionValues?: string;
}

export interface WebhookOptions {
  readonly address: ListenAddress;
  readonly revision: string;
  readonly proxyImage: string | undefined;
  /** A file with Istio's Helm values. */
  readonly values: string | undefined;
}

export function addWebhookOptions(command: Command): Command {
  return command
    .option(
      '--webhook-address <host:port>',
      'the webhooks that inject proxies and check configuration, over HTTPS (--kubernetes)',
    )
    .option('--revision <name>', 'of this control plane, among several in a cluster', 'default')
    .option('--proxy-image <reference>', 'of injected proxies')
    .option('--injection-values <file>', "Istio's Helm values for injected proxies");
}

/** Undefined where there are no webhooks. */
export function parseWebhookFlags(flags: WebhookFlags & { readonly kubernetes?: boolean }): Parsed<WebhookOptions | undefined> {
  if (flags.webhookAddress === undefined) return parsed(undefined);
  if (flags.kubernetes !== true) return refused('--webhook-address is for --kubernetes');
  const address = parseListenAddress(flags.webhookAddress);
  if (!address.ok) return refused(`--webhook-address: ${address.reason}`);
  return parsed({
    address: address.value,
    revision: flags.revision,
    proxyImage: flags.proxyImage,
    values: flags.injectionValues,
  });
}
