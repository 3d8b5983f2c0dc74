import { readFileSync } from 'node:fs';
import type { FollowerOptions } from '../authority/followed-stream.ts';
import { NamesFollower } from './follow-names.ts';
import { KnownNames } from './known-names.ts';
import { type NameServer, nameServers } from './resolv-conf.ts';
import { type DnsServer, serveDns } from './server.ts';
import { upstream } from './upstream.ts';

/** DNS for an application, whose questions are led here. */
export interface DnsWish {
  /** Where it listens; `hosts` are addresses of the loopback device. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** The resolv.conf that names the servers for everything else. */
  readonly resolvConf: string;
  /** In their place. */
  readonly servers?: readonly NameServer[] | undefined;
}

/** The DNS proxy of an agent: what the mesh says of names, and the pod's own name servers for the rest. */
export class DnsProxy {
  readonly #wish: DnsWish;
  readonly #around: FollowerOptions;
  readonly #known: KnownNames;
  readonly #follower: NamesFollower;
  #server: DnsServer | undefined;

  constructor(wish: DnsWish, around: FollowerOptions) {
    this.#wish = wish;
    this.#around = around;
    this.#known = new KnownNames(around.timers);
    this.#follower = new NamesFollower(this.#known, around);
  }

  /** Before the first certificate is there everything is forwarded: an application that starts early gets its names all the same. */
  async start(): Promise<void> {
    const { hosts, port, resolvConf, servers } = this.#wish;
    const { log } = this.#around;
    this.#server = await serveDns({
      hosts,
      port,
      known: this.#known,
      upstream: upstream(() => servers ?? nameServers(readFileSync(resolvConf, 'utf8'))),
      log,
    });
    log.info({ port: this.#server.port }, 'answering DNS');
    this.#follower.start();
  }

  async stop(): Promise<void> {
    this.#follower.stop();
    await this.#server?.close();
  }
}
