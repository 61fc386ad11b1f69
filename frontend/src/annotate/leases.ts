/** Keeps the leases of some comparisons alive while somebody is there, by this browser's clock alone. */
import { Problem } from "../api/client";
import type { Comparison } from "../api/types";

export const RENEW_CHECK_MS = 20_000;
/** Nobody has touched the page for so long: the leases may go to others. */
const AWAY_MS = 20 * 60_000;

export class Leases {
  private renewAt = new Map<string, number>();
  private late = new Set<string>();
  private lastSign: number;

  constructor(
    private readonly renewLease: (lease: string) => Promise<{ expires_at: string }>,
    private readonly now: () => number,
  ) {
    this.lastSign = now();
  }

  /** The person does something. True when they had been away for long. */
  sign(): boolean {
    const away = this.now() - this.lastSign > AWAY_MS;
    this.lastSign = this.now();
    return away;
  }

  /** Half of the lease from now: the server's clock may differ from the browser's. */
  add(item: Comparison): void {
    const length = Date.parse(item.lease.expires_at) - this.now();
    const sane = length > 10_000 && length < 86_400_000;
    this.renewAt.set(item.id, this.now() + (sane ? length / 2 : RENEW_CHECK_MS));
    this.late.delete(item.id);
  }

  isLate(item: Comparison): boolean {
    return this.late.has(item.id);
  }

  /** It stays on the screen without a lease: its judgment is still worth sending. */
  keepLate(item: Comparison): void {
    this.late.add(item.id);
    this.renewAt.set(item.id, Infinity);
  }

  /** Renews what is due; calls `lost` for each that belongs to somebody else by now. */
  async renew(items: readonly Comparison[], lost: (item: Comparison) => void): Promise<void> {
    if (this.now() - this.lastSign > AWAY_MS) return;
    for (const item of items) {
      if ((this.renewAt.get(item.id) ?? 0) > this.now()) continue;
      try {
        const lease = await this.renewLease(item.lease.id);
        item.lease.expires_at = lease.expires_at;
        this.add(item);
      } catch (error) {
        if (error instanceof Problem && [404, 409, 410].includes(error.status)) lost(item);
      }
    }
  }
}
