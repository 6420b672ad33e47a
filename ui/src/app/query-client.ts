import { QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "../api/http";

const isPassing = (error: unknown) => error instanceof ApiError && (error.status === 0 || error.status === 503);

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // The session ended: asking who one is brings the sign-in form.
      if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== "whoami") {
        void queryClient.invalidateQueries({ queryKey: ["whoami"] });
      }
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 10 * 60_000,
      retry: (count, error) => count < 2 && isPassing(error),
    },
  },
});
