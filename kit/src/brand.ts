/** A value that only its own maker can give: `Brand<number, "Revision">` is a number that no other number passes for. */
declare const brand: unique symbol;

export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };
