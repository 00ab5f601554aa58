/** An outside that does not answer, for tests. */
import { type Exchange, ExchangeError, type ExchangeErrorCode } from "./exchange.ts";

export function silentExchange(code: ExchangeErrorCode): Exchange {
  return async ({ url }) => {
    throw new ExchangeError(code, `${new URL(url).host}: silent in this test`);
  };
}
