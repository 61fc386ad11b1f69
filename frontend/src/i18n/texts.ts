/** What a language must hold: every key of the English texts. Only the plural forms differ from language to language. */
import type en from "./en";

type Form = "zero" | "one" | "two" | "few" | "many";

/** `key_other` is there in every language; the other forms are those that the language has. */
type Translated<T> = {
  [Key in keyof T as Key extends `${string}_${Form}` ? never : Key]: T[Key] extends string ? string : Translated<T[Key]>;
} & {
  [Key in keyof T as Key extends `${infer Base}_other` ? `${Base}_${Form}` : never]?: string;
};

export type Texts = Translated<typeof en>;
