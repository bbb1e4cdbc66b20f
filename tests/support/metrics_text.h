// Metrics in Prometheus' text format, as a scraper reads them.
#ifndef TESTS_SUPPORT_METRICS_TEXT_H_
#define TESTS_SUPPORT_METRICS_TEXT_H_

#include <map>
#include <string>
#include <vector>

namespace coord {

class MetricsText {
 public:
  explicit MetricsText(const std::string& text);

  // By name and labels as they are written: `calls_total{verdict="none"}`. -1
  // for one that is not there.
  double Value(const std::string& series) const;
  const std::map<std::string, double>& values() const { return values_; }

  // What Prometheus' conventions (and `promtool check metrics`) find wrong.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Family {
    std::string help;
    std::string type;
  };

  void ReadComment(const std::string& line);
  void ReadSample(const std::string& line);
  void CheckFamily(const std::string& name, const Family& family);
  void Complain(const std::string& about, const std::string& what);

  std::map<std::string, Family> families_;
  std::map<std::string, double> values_;
  std::vector<std::string> problems_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_METRICS_TEXT_H_
