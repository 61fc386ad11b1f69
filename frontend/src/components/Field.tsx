/** A labelled input with its explanation and its error, tied together for screen readers. */
import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

export interface FieldIds {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null;
  optional?: boolean;
  className?: string;
  children: (ids: FieldIds) => ReactNode;
}

export function Field({ label, hint, error, optional, className, children }: FieldProps) {
  const { t } = useTranslation();
  const id = useId();
  const described = [error ? `${id}-error` : null, hint ? `${id}-hint` : null].filter(Boolean).join(" ") || undefined;
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
        {optional && <span className="font-normal text-faint"> {t("optional")}</span>}
      </label>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {error && (
        <p id={`${id}-error`} className="mt-1 text-sm text-danger">{error}</p>
      )}
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-sm text-faint">{hint}</p>
      )}
    </div>
  );
}

interface SegmentsProps<T extends string> {
  label: string;
  value: T | null;
  options: readonly { value: T; label: ReactNode }[];
  onChange: (value: T) => void;
  className?: string;
}

/** One out of a few, side by side: a group of radio buttons underneath. */
export function Segments<T extends string>({ label, value, options, onChange, className }: SegmentsProps<T>) {
  const name = useId();
  return (
    <fieldset className={`inline-flex rounded-md border border-edge/60 bg-sunken p-0.5 ${className ?? ""}`}>
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label key={option.value} className="relative flex min-h-8 cursor-pointer items-center justify-center rounded-[5px] px-3 text-soft has-checked:bg-surface has-checked:text-ink has-checked:shadow-sm has-checked:font-medium hover:text-ink has-focus-visible:outline-2 has-focus-visible:outline-accent">
          <input type="radio" name={name} value={option.value} checked={value === option.value} onChange={() => onChange(option.value)} className="absolute inset-0 cursor-pointer opacity-0" />
          <span className="pointer-events-none">{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function Check({ label, hint, checked, disabled, onChange }: { label: ReactNode; hint?: ReactNode; checked: boolean; disabled?: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className="flex cursor-pointer items-start gap-2.5 has-disabled:cursor-not-allowed has-disabled:text-faint">
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(event) => onChange(event.target.checked)} className="mt-0.5 size-4 shrink-0" />
      <span>
        {label}
        {hint && <span className="block text-sm text-faint">{hint}</span>}
      </span>
    </label>
  );
}
