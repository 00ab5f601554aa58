/** The JSON Schema of the policy file, made from its table. */
import { jsonSchemaOf } from "@fleetban/kit/config-schema";
import { POLICY_TABLE } from "./policy-table.ts";

export function policySchemaText(): string {
  const description = "What a fleet of fleetban judges by; `fleetban policy check FILE` says what no schema can.";
  return `${JSON.stringify(jsonSchemaOf(POLICY_TABLE, { title: "fleetban policy", description }), undefined, 2)}\n`;
}
