/** Starts the pages: preferences, the language, the query cache, the router. */
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";
import { Problem } from "./api/client";
import { meQuery } from "./api/queries";
import { startLanguage } from "./i18n";
import { applyPreferences } from "./preferences";
import { makeRouter } from "./router";
import "./styles.css";

applyPreferences();

const client = new QueryClient({
  queryCache: new QueryCache({
    // The session ended somewhere: the guard of the route asks again and leads to the sign-in page.
    onError: (error, query) => {
      if (!(error instanceof Problem) || error.status !== 401 || query.queryKey[0] === "me") return;
      client.removeQueries({ queryKey: ["me"] });
      void router.invalidate();
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (times, error) => times < 2 && error instanceof Problem && error.passing,
    },
  },
});
const router = makeRouter(client);
// Who is here is asked while the texts are on their way; where nobody has to be signed in, it is not asked at all.
if (!/^\/(?:login|invitations)(?:\/|$)/.test(window.location.pathname)) void client.prefetchQuery(meQuery);
await startLanguage();

createRoot(document.getElementById("root")!).render(
  <QueryClientProvider client={client}>
    <RouterProvider router={router} />
  </QueryClientProvider>,
);
